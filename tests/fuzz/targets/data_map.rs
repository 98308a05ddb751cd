//! Data maps: whatever is written, there is a map or a list of what is wrong, each with a line that exists.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quittance_core::data_map::DataMap;

fuzz_target!(|input: &[u8]| {
    match DataMap::parse_bytes(input) {
        Ok(map) => {
            let _digest = map.digest();
            let _warnings = map.warnings();
        }
        Err(problems) => {
            assert!(!problems.0.is_empty());
            // To YAML, a carriage return ends a line.
            let lines = input.split(|byte| matches!(byte, b'\n' | b'\r')).count();
            for problem in &problems.0 {
                assert!(
                    problem.line <= lines + 1,
                    "line {} of {lines}",
                    problem.line
                );
            }
        }
    }
});
