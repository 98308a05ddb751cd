//! The ZIP container: sorted entries, fixed times and attributes, one deflate level.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::ExportError;

/// Writes `files` in the order given. ZIP64 records appear by themselves beyond 65,535 entries.
pub(super) fn write<'a>(
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<Vec<u8>, ExportError> {
    let failed = |error: &dyn std::fmt::Display| ExportError::Archive(error.to_string());
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        let method = if bytes.len() < WORTH_DEFLATING {
            CompressionMethod::Stored
        } else {
            CompressionMethod::Deflated
        };
        let level = (method == CompressionMethod::Deflated).then_some(DEFLATE_LEVEL);
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .compression_level(level)
            .last_modified_time(DateTime::default())
            .system(System::Unix)
            .unix_permissions(0o644)
            .large_file(u32::try_from(bytes.len()).is_err());
        writer
            .start_file(path, options)
            .map_err(|error| failed(&error))?;
        writer.write_all(bytes).map_err(|error| failed(&error))?;
    }
    Ok(writer
        .finish()
        .map_err(|error| failed(&error))?
        .into_inner())
}

const DEFLATE_LEVEL: i64 = 6;
/// Below this, starting the compressor costs more than it saves.
const WORTH_DEFLATING: usize = 128;
