//! gzip, RFC 1952, member by member: headers and checksums here, deflate in `flate2`.
//!
//! A member is packed at the level that its header gives away (9, 1, or the usual 6), and keeps its
//! time, file name and comment. Extra fields are dropped: those that are in use (BGZF) hold sizes
//! of the old bytes. Zeros after the last member are padding of old tapes and are dropped too.

use flate2::{
    Compress, Compression as Level, Crc, Decompress, FlushCompress, FlushDecompress, Status,
};
use quittance_core::data_map::Compression;

use super::{Step, wide};
use crate::rewrite::error::RewriteError;

/// What a member's header says that is worth keeping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::rewrite) struct Header {
    /// The four bytes of the time, the extra flags, the system.
    fixed: [u8; 6],
    name: Option<Vec<u8>>,
    comment: Option<Vec<u8>>,
}

impl Header {
    /// Reads a header; none while it is incomplete. Returns its length, too.
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, RewriteError> {
        if bytes
            .iter()
            .zip(&MAGIC)
            .any(|(found, right)| found != right)
        {
            return Err(corrupt("no gzip member begins where one must"));
        }
        let Some((first, rest)) = bytes.split_first_chunk::<FIXED>() else {
            return Ok(None);
        };
        let [_, _, _, flags, fixed @ ..] = *first;
        if flags & RESERVED != 0 {
            return Err(corrupt("a header has flags that nobody knows"));
        }
        let mut rest = Some(rest);
        if flags & EXTRA != 0 {
            rest = rest.and_then(|rest| {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                rest.get(usize::from(u16::from_le_bytes(*length))..)
            });
        }
        let mut text = |wanted: u8| -> Option<Vec<u8>> {
            if flags & wanted == 0 {
                return None;
            }
            let (text, after) = rest.and_then(|rest| split_at_zero(rest)).unzip();
            rest = after;
            text.map(<[u8]>::to_vec)
        };
        let (name, comment) = (text(NAME), text(COMMENT));
        if flags & CHECKED != 0 {
            rest = rest.and_then(|rest| rest.get(2..));
        }
        let header = Self {
            fixed,
            name,
            comment,
        };
        Ok(rest.map(|rest| (header, bytes.len().saturating_sub(rest.len()))))
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut flags = 0;
        if self.name.is_some() {
            flags |= NAME;
        }
        if self.comment.is_some() {
            flags |= COMMENT;
        }
        out.extend_from_slice(&MAGIC);
        out.push(flags);
        out.extend_from_slice(&self.fixed);
        for text in [&self.name, &self.comment].into_iter().flatten() {
            out.extend_from_slice(text);
            out.push(0);
        }
    }

    /// Guesses the level by the extra flags, where packers note that they tried hard or hardly.
    fn level(&self) -> Level {
        let [.., extra, _] = self.fixed;
        match extra {
            2 => Level::best(),
            4 => Level::fast(),
            _ => Level::default(),
        }
    }
}

/// Unpacks members.
#[derive(Debug)]
pub(in crate::rewrite) struct Unpacker {
    at: At,
    /// The header of the member at hand, or its beginning while it is incomplete.
    header: Header,
    begun: Vec<u8>,
    inflate: Decompress,
    crc: Crc,
    length: u32,
    members: u64,
}

/// Where in a member the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Header,
    Data,
    Trailer,
    /// Zeros until the end.
    Padding,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self {
            at: At::Header,
            header: Header::default(),
            begun: Vec::new(),
            inflate: Decompress::new(false),
            crc: Crc::new(),
            length: 0,
            members: 0,
        }
    }
}

impl Unpacker {
    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn step(&mut self, input: &[u8], buffer: &mut [u8]) -> Result<Step, RewriteError> {
        match self.at {
            At::Header => self.read_header(input),
            At::Data => self.inflate(input, buffer),
            At::Trailer => self.read_trailer(input),
            At::Padding if input.iter().all(|byte| *byte == 0) => Ok(Step {
                took: input.len(),
                ..Step::default()
            }),
            At::Padding => Err(corrupt("something that is no gzip follows it")),
        }
    }

    pub(super) fn finish(&self) -> Result<(), RewriteError> {
        // An object without a byte has no rows, whatever it is called.
        match self.at {
            At::Header if self.begun.is_empty() => Ok(()),
            At::Padding => Ok(()),
            At::Header | At::Data | At::Trailer => Err(RewriteError::Truncated(Compression::Gzip)),
        }
    }

    fn read_header(&mut self, input: &[u8]) -> Result<Step, RewriteError> {
        if self.members > 0 && self.begun.is_empty() && input.first() == Some(&0) {
            self.at = At::Padding;
            return Ok(Step {
                took: 1,
                ..Step::default()
            });
        }
        let before = self.begun.len();
        let piece = input.get(..input.len().min(HEADER_PIECE)).unwrap_or(input);
        self.begun.extend_from_slice(piece);
        match Header::parse(&self.begun)? {
            None if self.begun.len() > MAX_HEADER => {
                Err(corrupt("a header is longer than any real one"))
            }
            None => Ok(Step {
                took: piece.len(),
                ..Step::default()
            }),
            Some((header, length)) => {
                self.header = header;
                self.begun.clear();
                self.inflate.reset(false);
                self.crc.reset();
                self.length = 0;
                self.at = At::Data;
                Ok(Step {
                    took: length.saturating_sub(before),
                    ..Step::default()
                })
            }
        }
    }

    fn inflate(&mut self, input: &[u8], buffer: &mut [u8]) -> Result<Step, RewriteError> {
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, buffer, FlushDecompress::None)
            .map_err(|_| corrupt("deflate cannot be read"))?;
        let took = since(read, self.inflate.total_in());
        let made = since(written, self.inflate.total_out());
        self.crc.update(buffer.get(..made).unwrap_or_default());
        // The length is counted modulo 2³².
        self.length = self
            .length
            .wrapping_add(u32::try_from(made).unwrap_or_default());
        match status {
            Status::StreamEnd => self.at = At::Trailer,
            Status::Ok | Status::BufError => {}
        }
        Ok(Step {
            took,
            made,
            ended: false,
        })
    }

    fn read_trailer(&mut self, input: &[u8]) -> Result<Step, RewriteError> {
        let missing = TRAILER.saturating_sub(self.begun.len());
        let piece = input.get(..input.len().min(missing)).unwrap_or(input);
        self.begun.extend_from_slice(piece);
        let took = piece.len();
        let Some(trailer) = self.begun.first_chunk::<TRAILER>() else {
            return Ok(Step {
                took,
                ..Step::default()
            });
        };
        if *trailer != trailer_of(&self.crc, self.length) {
            return Err(corrupt("the checksum is another one"));
        }
        self.begun.clear();
        self.members = self.members.saturating_add(1);
        self.at = At::Header;
        Ok(Step {
            took,
            made: 0,
            ended: true,
        })
    }
}

/// Packs members.
#[derive(Debug, Default)]
pub(in crate::rewrite) struct Packer {
    member: Option<Member>,
    spare: Option<(Level, Compress)>,
}

/// A member that was begun.
#[derive(Debug)]
struct Member {
    level: Level,
    deflate: Compress,
    crc: Crc,
    length: u32,
}

impl Packer {
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        header: &Header,
        out: &mut Vec<u8>,
    ) -> Result<(), RewriteError> {
        let spare = &mut self.spare;
        let member = self.member.get_or_insert_with(|| {
            header.write(out);
            Member::new(header.level(), spare.take())
        });
        member.crc.update(bytes);
        let length = u32::try_from(wide(bytes.len()) & 0xffff_ffff).unwrap_or_default();
        member.length = member.length.wrapping_add(length);
        member.deflate(bytes, FlushCompress::None, out)
    }

    pub(super) fn end_member(&mut self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        let Some(mut member) = self.member.take() else {
            return Ok(());
        };
        member.deflate(&[], FlushCompress::Finish, out)?;
        out.extend_from_slice(&trailer_of(&member.crc, member.length));
        self.spare = Some((member.level, member.deflate));
        Ok(())
    }
}

impl Member {
    /// Takes the last member's memory if it was packed alike.
    fn new(level: Level, spare: Option<(Level, Compress)>) -> Self {
        let deflate = match spare {
            Some((known, mut deflate)) if known == level => {
                deflate.reset();
                deflate
            }
            Some(_) | None => Compress::new(level, false),
        };
        Self {
            level,
            deflate,
            crc: Crc::new(),
            length: 0,
        }
    }

    fn deflate(
        &mut self,
        mut bytes: &[u8],
        flush: FlushCompress,
        out: &mut Vec<u8>,
    ) -> Result<(), RewriteError> {
        loop {
            out.reserve(ROOM);
            let before = self.deflate.total_in();
            let status = self
                .deflate
                .compress_vec(bytes, out, flush)
                .map_err(|_| corrupt("deflate cannot be written"))?;
            let took = since(before, self.deflate.total_in());
            bytes = bytes.get(took..).unwrap_or_default();
            let is_done = match status {
                Status::StreamEnd => true,
                // With room left it holds back the rest on purpose, to pack it better.
                Status::Ok | Status::BufError => {
                    flush == FlushCompress::None && bytes.is_empty() && out.len() < out.capacity()
                }
            };
            if is_done {
                return Ok(());
            }
        }
    }
}

fn trailer_of(crc: &Crc, length: u32) -> [u8; TRAILER] {
    let mut trailer = [0; TRAILER];
    let bytes = crc
        .sum()
        .to_le_bytes()
        .into_iter()
        .chain(length.to_le_bytes());
    for (to, from) in trailer.iter_mut().zip(bytes) {
        *to = from;
    }
    trailer
}

fn split_at_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(0, bytes)?;
    let (text, rest) = bytes.split_at_checked(at)?;
    Some((text, rest.get(1..)?))
}

fn since(before: u64, now: u64) -> usize {
    usize::try_from(now.saturating_sub(before)).unwrap_or(usize::MAX)
}

const fn corrupt(detail: &'static str) -> RewriteError {
    RewriteError::Corrupt {
        compression: Compression::Gzip,
        detail,
    }
}

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
/// The header's part that every member has.
const FIXED: usize = 10;
const TRAILER: usize = 8;
const CHECKED: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;
/// An extra field of its full length, a name and a comment.
const MAX_HEADER: usize = 128 * 1024;
const HEADER_PIECE: usize = 512;
const ROOM: usize = 32 * 1024;
