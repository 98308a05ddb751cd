//! How a file is written: by its first bytes, and by its name.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;

use quittance_core::data_map::{Compression, Delimiter, Dialect, RecordFormat};
use quittance_stores::rewrite::Source;

use super::args::{FormatArg, RewriteArgs};
use crate::offline::unreadable;
use crate::printing::Failure;

/// Says how a file is written, and leaves it at its beginning.
pub(super) fn detect(args: &RewriteArgs, file: &mut File) -> Result<Source, Failure> {
    let (by_name, format) = of_name(&args.from);
    let format = of_args(
        args,
        match (args.format, format) {
            // The name says more: which delimiter.
            (None, named) | (Some(FormatArg::Csv), named @ RecordFormat::Csv(_)) => named,
            (Some(told), _) => told.into(),
        },
    )?;
    if let Some(compression) = args.compression {
        if format == RecordFormat::Parquet && Compression::from(compression) != Compression::None {
            return Err(packed(args));
        }
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
    let is_parquet = first.starts_with(b"PAR1");
    let format = if is_parquet && args.format.is_none() {
        RecordFormat::Parquet
    } else {
        format
    };
    if format == RecordFormat::Parquet && compression != Compression::None {
        return Err(packed(args));
    }
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

/// Adds what the command line says of CSV.
fn of_args(args: &RewriteArgs, format: RecordFormat) -> Result<RecordFormat, Failure> {
    match format {
        RecordFormat::Csv(dialect) => Ok(RecordFormat::Csv(Dialect {
            delimiter: args.delimiter.map_or(dialect.delimiter, Delimiter::from),
            header: dialect.header && !args.no_header,
        })),
        RecordFormat::Jsonl | RecordFormat::Parquet
            if args.delimiter.is_some() || args.no_header =>
        {
            Err(Failure::usage(
                "--delimiter and --no-header are for CSV; if the file is CSV, say so: --format csv",
            ))
        }
        RecordFormat::Jsonl | RecordFormat::Parquet => Ok(format),
    }
}

fn packed(args: &RewriteArgs) -> Failure {
    Failure::usage(format!(
        "{} is Parquet, which is compressed inside: unpack the file, or say --format",
        args.from.display()
    ))
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
        "csv" => RecordFormat::Csv(Dialect::default()),
        "tsv" => RecordFormat::Csv(Dialect {
            delimiter: Delimiter::Tab,
            ..Dialect::default()
        }),
        "parquet" => RecordFormat::Parquet,
        _ => RecordFormat::Jsonl,
    };
    (compression, format)
}
