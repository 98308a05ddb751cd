//! The headers of a column's pages, read before the pages are unpacked: what a page says that it
//! unpacks to is asked of memory at once, so it is looked at first.
//!
//! Source: parquet-format, `PageHeader`, in Thrift's compact protocol.

use super::problem::{TableProblem, damaged};
use super::thrift::{I32, Thrift};

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    Data,
    DataV2,
    Dictionary,
    Other,
}

/// Walks through the pages of a column, and returns what each is; refuses pages that unpack to more
/// than `limit` bytes.
pub(super) fn walk(column: &[u8], group: usize, limit: u64) -> Result<Vec<PageKind>, TableProblem> {
    let mut kinds = Vec::new();
    let mut rest = column;
    while !rest.is_empty() {
        let mut thrift = Thrift { rest };
        let header = header(&mut thrift).ok_or(damaged("a page's header"))?;
        if header.unpacked > limit {
            return Err(TableProblem::LargeGroup { group, limit });
        }
        rest = thrift
            .rest
            .get(header.packed..)
            .ok_or(damaged("a page's length"))?;
        kinds.push(header.kind);
    }
    Ok(kinds)
}

struct Header {
    kind: PageKind,
    packed: usize,
    unpacked: u64,
}

fn header(thrift: &mut Thrift<'_>) -> Option<Header> {
    let (mut kind, mut unpacked, mut packed) = (None, None, None);
    let mut id = 0_i64;
    loop {
        match thrift.field(&mut id)? {
            None => break,
            Some(I32) => {
                let number = thrift.signed()?;
                match id {
                    1 => kind = Some(number),
                    2 => unpacked = Some(number),
                    3 => packed = Some(number),
                    _ => {}
                }
            }
            Some(other) => thrift.skip(other, 0)?,
        }
    }
    let (unpacked, packed) = (
        u64::try_from(unpacked?).ok()?,
        usize::try_from(packed?).ok()?,
    );
    Some(Header {
        kind: match kind? {
            0 => PageKind::Data,
            2 => PageKind::Dictionary,
            3 => PageKind::DataV2,
            _ => PageKind::Other,
        },
        packed,
        unpacked,
    })
}
