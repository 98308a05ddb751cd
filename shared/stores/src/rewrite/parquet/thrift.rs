//! Thrift's compact protocol, as far as fields must be found and passed by. What they mean is the
//! format's library's, but for two things that it does not tell: what a page will unpack to, and how
//! a file's writer said that values are ordered.

use std::ops::Range;

use super::super::codec::wide;

/// Bytes that are read field by field.
pub(super) struct Thrift<'a> {
    pub(super) rest: &'a [u8],
}

impl Thrift<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let number = self.unsigned()?;
        Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    /// Reads a field's header: its type, and none at the end of the struct.
    #[expect(clippy::option_option, reason = "no header, or the end")]
    pub(super) fn field(&mut self, id: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        // No type ends the struct, whatever else stands there: so the library reads it.
        let kind = byte & 0x0f;
        if kind == 0 {
            return Some(None);
        }
        *id = match byte >> 4 {
            0 => self.signed()?,
            more => id.checked_add(i64::from(more))?,
        };
        Some(Some(kind))
    }

    fn pass(&mut self, bytes: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }

    pub(super) fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let deeper = depth.saturating_add(1);
        match kind {
            1 | 2 => Some(()),
            3 => self.pass(1),
            4..=6 => self.unsigned().map(drop),
            7 => self.pass(8),
            8 => {
                let length = self.unsigned()?;
                self.pass(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.unsigned()?,
                    few => u64::from(few),
                };
                self.elements(head & 0x0f, count, deeper)
            }
            11 => {
                let count = self.unsigned()?;
                if count == 0 {
                    return Some(());
                }
                let kinds = self.byte()?;
                for _ in 0..count {
                    self.elements(kinds >> 4, 1, deeper)?;
                    self.elements(kinds & 0x0f, 1, deeper)?;
                }
                Some(())
            }
            12 => {
                let mut id = 0;
                while let Some(field) = self.field(&mut id)? {
                    self.skip(field, deeper)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    fn elements(&mut self, kind: u8, count: u64, depth: u32) -> Option<()> {
        // Each takes a byte at least. No footer has lists of truths: the library takes them for nothing, and
        // would pass by four billion of them one by one.
        if count > wide(self.rest.len()) || matches!(kind, 1 | 2) && count > 0 {
            return None;
        }
        for _ in 0..count {
            self.skip(kind, depth)?;
        }
        Some(())
    }
}

/// A field of a struct: from its header to its end.
pub(super) struct Field {
    /// With its header.
    pub(super) whole: Range<usize>,
    /// Without.
    pub(super) value: Range<usize>,
    /// The number of the field before it; 0 if it is the first.
    pub(super) after: i64,
}

/// Finds a field of a struct: none when it is no struct, and no field when it has none of this number.
#[expect(clippy::option_option, reason = "no struct, or no such field")]
pub(super) fn find(bytes: &[u8], wanted: i64) -> Option<Option<Field>> {
    let mut thrift = Thrift { rest: bytes };
    let (mut id, mut after) = (0, 0);
    let at = |thrift: &Thrift<'_>| bytes.len().saturating_sub(thrift.rest.len());
    loop {
        let start = at(&thrift);
        let Some(kind) = thrift.field(&mut id)? else {
            return Some(None);
        };
        let value = at(&thrift);
        thrift.skip(kind, 0)?;
        if id == wanted {
            let end = at(&thrift);
            return Some(Some(Field {
                whole: start..end,
                value: value..end,
                after,
            }));
        }
        after = id;
    }
}

pub(super) const I32: u8 = 5;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;
const MAX_DEPTH: u32 = 64;
