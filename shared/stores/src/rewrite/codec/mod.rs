//! Unpacking and packing, piece by piece: one file per compression.
//!
//! A *member* is what a compressed file may have several of, one after the other (gzip calls it so,
//! zstd a frame, Snappy a stream). Each member of the input becomes one of the output, unless nothing is left of it.
//! Nothing here knows of rows.

mod gzip;
mod snappy;
mod zstd;

use quittance_core::data_map::Compression;

use super::error::RewriteError;

/// How far one step got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// How many bytes of the input were taken.
    pub(super) took: usize,
    /// How many bytes were put into the buffer.
    pub(super) made: usize,
    /// Whether a member ended after these.
    pub(super) ended: bool,
}

/// Unpacks a file that arrives in pieces.
#[derive(Debug)]
pub(super) enum Unpacker {
    Gzip(Box<gzip::Unpacker>),
    Plain,
    Snappy(Box<snappy::Unpacker>),
    Zstd(Box<zstd::Unpacker>),
}

impl Unpacker {
    pub(super) fn new(compression: Compression, max_window: u64) -> Result<Self, RewriteError> {
        match compression {
            Compression::Gzip => Ok(Self::Gzip(Box::default())),
            Compression::None => Ok(Self::Plain),
            Compression::Snappy => Ok(Self::Snappy(Box::new(snappy::Unpacker::new()))),
            Compression::Zstd => Ok(Self::Zstd(Box::new(zstd::Unpacker::new(max_window)?))),
        }
    }

    /// Takes some of the input and fills some of the buffer. Nothing taken and nothing made means
    /// that it waits for more input.
    pub(super) fn step(&mut self, input: &[u8], buffer: &mut [u8]) -> Result<Step, RewriteError> {
        match self {
            Self::Gzip(unpacker) => unpacker.step(input, buffer),
            Self::Plain => {
                let made = input.len().min(buffer.len());
                for (to, from) in buffer.iter_mut().zip(input) {
                    *to = *from;
                }
                Ok(Step {
                    took: made,
                    made,
                    ended: false,
                })
            }
            Self::Snappy(unpacker) => unpacker.step(input, buffer),
            Self::Zstd(unpacker) => unpacker.step(input, buffer),
        }
    }

    /// Checks that the input may end here.
    pub(super) fn finish(&self) -> Result<(), RewriteError> {
        match self {
            Self::Gzip(unpacker) => unpacker.finish(),
            Self::Plain => Ok(()),
            Self::Snappy(unpacker) => unpacker.finish(),
            Self::Zstd(unpacker) => unpacker.finish(),
        }
    }
}

/// Packs what survives in the compression that it came in.
#[derive(Debug)]
pub(super) enum Packer {
    Gzip(Box<gzip::Packer>),
    Plain,
    Snappy(Box<snappy::Packer>),
    Zstd(Box<zstd::Packer>),
}

impl Packer {
    pub(super) fn new(compression: Compression) -> Result<Self, RewriteError> {
        match compression {
            Compression::Gzip => Ok(Self::Gzip(Box::default())),
            Compression::None => Ok(Self::Plain),
            Compression::Snappy => Ok(Self::Snappy(Box::new(snappy::Packer::new()))),
            Compression::Zstd => Ok(Self::Zstd(Box::new(zstd::Packer::new()?))),
        }
    }

    /// Appends these bytes, packed, to the output. `from` is where they come from: the first bytes
    /// of a member decide how it is packed.
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        from: &Unpacker,
        out: &mut Vec<u8>,
    ) -> Result<(), RewriteError> {
        match (self, from) {
            (Self::Gzip(packer), Unpacker::Gzip(from)) => packer.write(bytes, from.header(), out),
            (Self::Gzip(packer), Unpacker::Plain | Unpacker::Snappy(_) | Unpacker::Zstd(_)) => {
                packer.write(bytes, &gzip::Header::default(), out)
            }
            (Self::Plain, _) => {
                out.extend_from_slice(bytes);
                Ok(())
            }
            (Self::Snappy(packer), _) => packer.write(bytes, out),
            (Self::Zstd(packer), _) => packer.write(bytes, out),
        }
    }

    /// Ends the member, if one was begun.
    pub(super) fn end_member(&mut self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        match self {
            Self::Gzip(packer) => packer.end_member(out),
            Self::Plain => Ok(()),
            Self::Snappy(packer) => packer.end_member(out),
            Self::Zstd(packer) => packer.end_member(out),
        }
    }
}

/// A length as files count it.
pub(super) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
