//! What a rewrite did and what it took: for people, and in JSON.

use quittance_stores::rewrite::{Report, Source};
use serde::Serialize;

use crate::heap;
use crate::printing::{data, json};

/// What `--json` prints.
#[derive(Serialize)]
pub(super) struct Figures {
    /// Where the result is; none after a dry run.
    #[serde(rename = "out")]
    to: Option<String>,
    format: &'static str,
    compression: &'static str,
    identifiers: usize,
    identifiers_skipped: u64,
    rows_before: u64,
    rows_after: u64,
    rows_matched: u64,
    bytes_in: u64,
    bytes_unpacked: u64,
    bytes_out: u64,
    /// All of the process.
    cpu_seconds: Option<f64>,
    /// Of them, reading the identifiers and making the set.
    set_cpu_seconds: Option<f64>,
    peak_heap_bytes: usize,
    peak_resident_bytes: Option<u64>,
}

impl Figures {
    pub(super) fn new(source: Source, report: &Report, identifiers: (usize, u64)) -> Self {
        Self {
            to: None,
            format: words::format(source.format),
            compression: words::compression(source.compression),
            identifiers: identifiers.0,
            identifiers_skipped: identifiers.1,
            rows_before: report.rows_before,
            rows_after: report.rows_after,
            rows_matched: report.rows_matched,
            bytes_in: report.bytes_in,
            bytes_unpacked: report.bytes_unpacked,
            bytes_out: report.bytes_out,
            cpu_seconds: cpu_seconds(),
            set_cpu_seconds: None,
            peak_heap_bytes: heap::peak_bytes(),
            peak_resident_bytes: peak_resident_bytes(),
        }
    }

    pub(super) fn with_set_seconds(mut self, seconds: Option<f64>) -> Self {
        self.set_cpu_seconds = seconds;
        self
    }

    pub(super) fn with_out(mut self, path: Option<String>) -> Self {
        self.to = path;
        self
    }

    pub(super) fn print(&self, as_json: bool) {
        if as_json {
            json(self);
            return;
        }
        let skipped = match self.identifiers_skipped {
            0 => String::new(),
            count => format!(", {} lines were none", grouped(count)),
        };
        let identifiers = u64::try_from(self.identifiers).unwrap_or_default();
        data(&format!("identifiers  {}{skipped}", grouped(identifiers)));
        let gone = grouped(self.rows_before.saturating_sub(self.rows_after));
        let (before, after) = (grouped(self.rows_before), grouped(self.rows_after));
        if let Some(path) = &self.to {
            let (read, wrote) = (grouped(self.bytes_in), grouped(self.bytes_out));
            let packed = self.compression;
            data(&format!(
                "rows         {before} before, {after} after: {gone} taken out"
            ));
            data(&format!(
                "bytes        {read} in, {wrote} out (compression: {packed})"
            ));
            self.print_costs();
            data(&format!("written to   {path}"));
        } else {
            let matched = grouped(self.rows_matched);
            data(&format!(
                "rows         {before}, {matched} of them would be taken out"
            ));
            self.print_costs();
            data("nothing was written: this was a dry run");
        }
    }

    fn print_costs(&self) {
        if let (Some(all), Some(set)) = (self.cpu_seconds, self.set_cpu_seconds) {
            data(&format!(
                "CPU seconds  {all:.2}, {set:.2} of them for the identifiers"
            ));
        }
        let mib = self.peak_heap_bytes.div_ceil(1024 * 1024);
        data(&format!("memory       {mib} MiB at most"));
    }
}

/// CPU seconds of this process so far; none where the system does not tell.
pub(super) fn cpu_seconds() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    Some(std::time::Duration::new(seconds, nanoseconds).as_secs_f64())
}

/// What the system says of this process's memory, that of C included.
fn peak_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Writes a number in groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len().saturating_mul(2));
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

mod words {
    //! Formats and compressions as the command line names them.

    use quittance_core::data_map::{Compression, RecordFormat};

    pub(super) const fn format(format: RecordFormat) -> &'static str {
        match format {
            RecordFormat::Csv(_) => "csv",
            RecordFormat::Jsonl => "jsonl",
            RecordFormat::Parquet => "parquet",
        }
    }

    pub(super) const fn compression(compression: Compression) -> &'static str {
        match compression {
            Compression::Gzip => "gzip",
            Compression::None => "none",
            Compression::Snappy => "snappy",
            Compression::Zstd => "zstd",
        }
    }
}
