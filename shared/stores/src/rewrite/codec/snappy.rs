//! Snappy's framing format, chunk by chunk: frames and checksums here, the blocks in `snap`.
//!
//! A member is what follows one stream identifier. The format has no end mark, so a file that is
//! cut off between two chunks looks whole. Chunks that may be skipped are dropped: what they say is
//! of the old bytes. Raw Snappy, Hadoop's blocks and Java's streams are other formats, and refused.

use std::fmt;

use crc_fast::CrcAlgorithm;
use quittance_core::data_map::Compression;
use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::Step;
use crate::rewrite::error::RewriteError;

/// Unpacks chunks.
pub(in crate::rewrite) struct Unpacker {
    at: At,
    /// The beginning of what is read.
    begun: Vec<u8>,
    decoder: Decoder,
    is_first: bool,
}

/// Where in a chunk the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Header,
    /// In what is kept until it is whole.
    Body {
        kind: Kind,
        length: usize,
    },
    /// In what is skipped: so many bytes are left.
    Skipped(usize),
}

/// What is in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Identifier,
    Packed,
    Plain,
}

impl Unpacker {
    pub(super) fn new() -> Self {
        Self {
            at: At::Header,
            begun: Vec::new(),
            decoder: Decoder::new(),
            is_first: true,
        }
    }

    pub(super) fn step(&mut self, input: &[u8], buffer: &mut [u8]) -> Result<Step, RewriteError> {
        match self.at {
            At::Header => {
                let took = self.gather(input, HEADER);
                if self.is_first && !IDENTIFIER.starts_with(&self.begun) {
                    return Err(RewriteError::NotFramed);
                }
                if let Some(header) = self.begun.first_chunk::<HEADER>() {
                    self.at = body(*header, self.is_first)?;
                    self.begun.clear();
                }
                Ok(Step {
                    took,
                    ..Step::default()
                })
            }
            At::Body { kind, length } => {
                let took = self.gather(input, length);
                let mut step = Step {
                    took,
                    ..Step::default()
                };
                if self.begun.len() == length {
                    self.read(kind, buffer, &mut step)?;
                    self.begun.clear();
                    self.at = At::Header;
                }
                Ok(step)
            }
            At::Skipped(left) => {
                let took = left.min(input.len());
                let left = left.saturating_sub(took);
                self.at = if left == 0 {
                    At::Header
                } else {
                    At::Skipped(left)
                };
                Ok(Step {
                    took,
                    ..Step::default()
                })
            }
        }
    }

    pub(super) fn finish(&self) -> Result<(), RewriteError> {
        // An object without a byte has no rows, whatever it is called.
        if self.at == At::Header && self.begun.is_empty() {
            return Ok(());
        }
        Err(RewriteError::Truncated(Compression::Snappy))
    }

    /// Keeps input until there is this much of it; how much was taken.
    fn gather(&mut self, input: &[u8], length: usize) -> usize {
        let missing = length.saturating_sub(self.begun.len());
        let piece = input.get(..input.len().min(missing)).unwrap_or(input);
        self.begun.extend_from_slice(piece);
        piece.len()
    }

    /// Reads a chunk that is whole.
    fn read(&mut self, kind: Kind, buffer: &mut [u8], step: &mut Step) -> Result<(), RewriteError> {
        if kind == Kind::Identifier {
            if Some(self.begun.as_slice()) != IDENTIFIER.get(HEADER..) {
                return Err(if self.is_first {
                    RewriteError::NotFramed
                } else {
                    corrupt("a stream identifier is another one")
                });
            }
            step.ended = !std::mem::take(&mut self.is_first);
            return Ok(());
        }
        let Some((checksum, data)) = self.begun.split_first_chunk::<CHECKSUM>() else {
            return Err(corrupt("a chunk has no checksum"));
        };
        let length = match kind {
            Kind::Packed => decompress_len(data).map_err(|_| corrupt("a block cannot be read"))?,
            Kind::Identifier | Kind::Plain => data.len(),
        };
        let room = buffer
            .get_mut(..length)
            .filter(|_| length <= BLOCK)
            .ok_or(corrupt("a block is longer than 65536 bytes"))?;
        match kind {
            Kind::Packed => {
                let unpacked = self.decoder.decompress(data, room);
                unpacked.map_err(|_| corrupt("a block cannot be read"))?;
            }
            Kind::Identifier | Kind::Plain => room.copy_from_slice(data),
        }
        if masked(room) != *checksum {
            return Err(corrupt("the checksum is another one"));
        }
        step.made = length;
        Ok(())
    }
}

/// What follows a chunk's header.
fn body(header: [u8; HEADER], is_first: bool) -> Result<At, RewriteError> {
    let [kind, low, middle, high] = header;
    let length = usize::try_from(u32::from_le_bytes([low, middle, high, 0])).unwrap_or(usize::MAX);
    let kind = match kind {
        0xff if length == IDENTIFIER.len().saturating_sub(HEADER) => Kind::Identifier,
        0xff => return Err(corrupt("a stream identifier is another one")),
        _ if is_first => return Err(RewriteError::NotFramed),
        0 if length <= CHECKSUM.saturating_add(max_compress_len(BLOCK)) => Kind::Packed,
        1 if length <= CHECKSUM.saturating_add(BLOCK) => Kind::Plain,
        0 | 1 => return Err(corrupt("a chunk is longer than any may be")),
        0x02..=0x7f => return Err(corrupt("a chunk is of a kind that nobody knows")),
        0x80..=0xfe if length == 0 => return Ok(At::Header),
        0x80..=0xfe => return Ok(At::Skipped(length)),
    };
    Ok(At::Body { kind, length })
}

/// Packs chunks.
pub(in crate::rewrite) struct Packer {
    encoder: Encoder,
    /// What is not packed yet, up to a block.
    begun: Vec<u8>,
    packed: Vec<u8>,
    inside: bool,
}

impl Packer {
    pub(super) fn new() -> Self {
        Self {
            encoder: Encoder::new(),
            begun: Vec::new(),
            packed: vec![0; max_compress_len(BLOCK)],
            inside: false,
        }
    }

    pub(super) fn write(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RewriteError> {
        if !std::mem::replace(&mut self.inside, true) {
            out.extend_from_slice(IDENTIFIER);
        }
        while !bytes.is_empty() {
            let room = BLOCK.saturating_sub(self.begun.len());
            let (piece, rest) = bytes.split_at(room.min(bytes.len()));
            self.begun.extend_from_slice(piece);
            bytes = rest;
            if self.begun.len() == BLOCK {
                self.chunk(out)?;
            }
        }
        Ok(())
    }

    pub(super) fn end_member(&mut self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        self.inside = false;
        if self.begun.is_empty() {
            return Ok(());
        }
        self.chunk(out)
    }

    /// Packs a block, unless that makes it hardly shorter.
    fn chunk(&mut self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        let packed = self.encoder.compress(&self.begun, &mut self.packed);
        let length = packed.map_err(|_| corrupt("snappy cannot be written"))?;
        let worth = self.begun.len().saturating_sub(self.begun.len() / 8);
        let (kind, data) = if length < worth {
            (0, self.packed.get(..length).unwrap_or_default())
        } else {
            (1, self.begun.as_slice())
        };
        let length = u32::try_from(data.len().saturating_add(CHECKSUM)).unwrap_or(u32::MAX);
        let [low, middle, high, _] = length.to_le_bytes();
        out.extend_from_slice(&[kind, low, middle, high]);
        out.extend_from_slice(&masked(&self.begun));
        out.extend_from_slice(data);
        self.begun.clear();
        Ok(())
    }
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacker").finish_non_exhaustive()
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

/// CRC-32C, turned and moved as the format wants it: a checksum of checksums is a weak one.
fn masked(bytes: &[u8]) -> [u8; CHECKSUM] {
    let sum = crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes);
    let sum = u32::try_from(sum).unwrap_or_default();
    sum.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

const fn corrupt(detail: &'static str) -> RewriteError {
    RewriteError::Corrupt {
        compression: Compression::Snappy,
        detail,
    }
}

const IDENTIFIER: &[u8] = b"\xff\x06\0\0sNaPpY";
const HEADER: usize = 4;
const CHECKSUM: usize = 4;
/// The most that a chunk holds, unpacked.
const BLOCK: usize = 65_536;
