//! Zstandard, RFC 8878, frame by frame.
//!
//! Frames do not say at which level they were packed: they are packed at zstd's own, 3, with a
//! checksum. Skippable frames, such as the seek tables of the old bytes, are dropped.

use quittance_core::data_map::Compression;
use zstd::stream::raw::{CParameter, DParameter, Decoder, Encoder, Operation as _};

use super::Step;
use crate::rewrite::error::RewriteError;

/// Unpacks frames.
pub(in crate::rewrite) struct Unpacker {
    decoder: Decoder<'static>,
    /// Whether a frame was begun and has not ended.
    inside: bool,
    max_window: u64,
}

impl Unpacker {
    pub(super) fn new(max_window: u64) -> Result<Self, RewriteError> {
        let mut decoder = Decoder::new().map_err(|_| corrupt("zstd does not start"))?;
        let log = max_window.checked_ilog2().unwrap_or_default().max(MIN_LOG);
        decoder
            .set_parameter(DParameter::WindowLogMax(log))
            .map_err(|_| corrupt("zstd takes no window of this size"))?;
        Ok(Self {
            decoder,
            inside: false,
            max_window,
        })
    }

    pub(super) fn step(&mut self, input: &[u8], buffer: &mut [u8]) -> Result<Step, RewriteError> {
        let status = self
            .decoder
            .run_on_buffers(input, buffer)
            .map_err(|error| self.explain(&error))?;
        let ended = status.remaining == 0 && (self.inside || status.bytes_read > 0);
        self.inside = !ended && (self.inside || status.bytes_read > 0);
        Ok(Step {
            took: status.bytes_read,
            made: status.bytes_written,
            ended,
        })
    }

    pub(super) fn finish(&self) -> Result<(), RewriteError> {
        if self.inside {
            return Err(RewriteError::Truncated(Compression::Zstd));
        }
        Ok(())
    }

    /// zstd's errors are texts by now.
    fn explain(&self, error: &std::io::Error) -> RewriteError {
        let text = error.to_string();
        if text.contains("too much memory") {
            RewriteError::Window {
                limit: self.max_window,
            }
        } else if text.contains("checksum") {
            corrupt("the checksum is another one")
        } else if text.contains("Unknown frame") {
            corrupt("no zstd frame begins where one must")
        } else {
            corrupt("a block cannot be read")
        }
    }
}

/// Packs frames.
pub(in crate::rewrite) struct Packer {
    encoder: Encoder<'static>,
    buffer: Vec<u8>,
    inside: bool,
}

impl Packer {
    pub(super) fn new() -> Result<Self, RewriteError> {
        let mut encoder =
            Encoder::new(zstd::DEFAULT_COMPRESSION_LEVEL).map_err(|_| unwritable())?;
        encoder
            .set_parameter(CParameter::ChecksumFlag(true))
            .map_err(|_| unwritable())?;
        Ok(Self {
            encoder,
            buffer: vec![0; ROOM],
            inside: false,
        })
    }

    pub(super) fn write(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RewriteError> {
        if !self.inside {
            self.encoder.reinit().map_err(|_| unwritable())?;
            self.inside = true;
        }
        while !bytes.is_empty() {
            let status = self
                .encoder
                .run_on_buffers(bytes, &mut self.buffer)
                .map_err(|_| unwritable())?;
            out.extend_from_slice(self.buffer.get(..status.bytes_written).unwrap_or_default());
            bytes = bytes.get(status.bytes_read..).unwrap_or_default();
        }
        Ok(())
    }

    pub(super) fn end_member(&mut self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        if !self.inside {
            return Ok(());
        }
        self.inside = false;
        loop {
            let mut output = zstd::stream::raw::OutBuffer::around(self.buffer.as_mut_slice());
            let left = self
                .encoder
                .finish(&mut output, true)
                .map_err(|_| unwritable())?;
            let made = output.pos();
            out.extend_from_slice(self.buffer.get(..made).unwrap_or_default());
            if left == 0 {
                return Ok(());
            }
        }
    }
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacker").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

const fn unwritable() -> RewriteError {
    corrupt("zstd cannot be written")
}

const fn corrupt(detail: &'static str) -> RewriteError {
    RewriteError::Corrupt {
        compression: Compression::Zstd,
        detail,
    }
}

/// The least that zstd takes as a limit.
const MIN_LOG: u32 = 10;
const ROOM: usize = 128 * 1024;
