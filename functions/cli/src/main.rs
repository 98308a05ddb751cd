//! `dsr`: see `dsr help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    dsr::run()
}
