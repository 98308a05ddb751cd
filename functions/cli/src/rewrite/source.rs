//! How a file is written: by its first bytes, and by its name.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;

use quittance_core::data_map::{Compression, RecordFormat};
use quittance_stores::rewrite::Source;

use super::args::RewriteArgs;
use crate::offline::unreadable;
use crate::printing::Failure;

/// Says how a file is written, and leaves it at its beginning.
pub(super) fn detect(args: &RewriteArgs, file: &mut File) -> Result<Source, Failure> {
    let (by_name, format) = of_name(&args.from);
    let format = args.format.map_or(format, RecordFormat::from);
    if let Some(compression) = args.compression {
        return Ok(Source {
            format,
            compression: compression.into(),
        });
    }
    let mut first = Vec::new();
    let begun = file
        .take(10)
        .read_to_end(&mut first)
        .and_then(|_| file.rewind());
    begun.map_err(|error| unreadable(&args.from, &error))?;
    let compression = of_bytes(&first);
    if by_name != Compression::None && compression != by_name && !first.is_empty() {
        return Err(Failure::usage(format!(
            "{} is not what its name says it is compressed with; if it is right, say so: \
             --compression none",
            args.from.display()
        )));
    }
    Ok(Source {
        format,
        compression,
    })
}

fn of_bytes(first: &[u8]) -> Compression {
    match first {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        // A frame, or a skippable one.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
        [0xff, 6, 0, 0, b's', b'N', b'a', b'P', b'p', b'Y'] => Compression::Snappy,
        _ => Compression::None,
    }
}

/// What `rows.csv.gz` says.
fn of_name(path: &Path) -> (Compression, RecordFormat) {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let mut endings = name.rsplit('.');
    let last = endings.next().unwrap_or_default();
    let (compression, last) = match last {
        "gz" | "gzip" => (Compression::Gzip, endings.next().unwrap_or_default()),
        "zst" | "zstd" => (Compression::Zstd, endings.next().unwrap_or_default()),
        "sz" | "snappy" => (Compression::Snappy, endings.next().unwrap_or_default()),
        other => (Compression::None, other),
    };
    let format = match last {
        "csv" => RecordFormat::Csv,
        "parquet" => RecordFormat::Parquet,
        _ => RecordFormat::Jsonl,
    };
    (compression, format)
}
