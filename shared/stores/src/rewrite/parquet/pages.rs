//! The headers of a column's pages, read before the pages are unpacked: what a page says that it
//! unpacks to is asked of memory at once, so it is looked at first.
//!
//! Source: parquet-format, `PageHeader`, in Thrift's compact protocol.

use super::problem::{TableProblem, damaged};
use super::thrift::{I32, STRUCT, Thrift};

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    Data,
    DataV2,
    Dictionary,
    Other,
}

/// What is known of a page before it is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) kind: PageKind,
    /// Whether its values are numbers of a dictionary's.
    pub(super) is_by_dictionary: bool,
}

/// Walks through the pages of a column, and returns what each is; refuses pages that unpack to more
/// than `limit` bytes.
pub(super) fn walk(column: &[u8], group: usize, limit: u64) -> Result<Vec<Page>, TableProblem> {
    let mut pages = Vec::new();
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
        pages.push(header.page);
    }
    Ok(pages)
}

struct Header {
    page: Page,
    packed: usize,
    unpacked: u64,
}

fn header(thrift: &mut Thrift<'_>) -> Option<Header> {
    let (mut kind, mut unpacked, mut packed) = (None, None, None);
    let mut encoding = None;
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
            // `DataPageHeader` and `DataPageHeaderV2`.
            Some(STRUCT) if id == 5 => encoding = number_in(thrift, 2)?,
            Some(STRUCT) if id == 8 => encoding = number_in(thrift, 4)?,
            Some(other) => thrift.skip(other, 0)?,
        }
    }
    let (unpacked, packed) = (
        u64::try_from(unpacked?).ok()?,
        usize::try_from(packed?).ok()?,
    );
    Some(Header {
        page: Page {
            kind: match kind? {
                0 => PageKind::Data,
                2 => PageKind::Dictionary,
                3 => PageKind::DataV2,
                _ => PageKind::Other,
            },
            // `PLAIN_DICTIONARY`, `RLE_DICTIONARY`.
            is_by_dictionary: matches!(encoding, Some(2 | 8)),
        },
        packed,
        unpacked,
    })
}

/// Reads a struct, and returns a number in it.
#[expect(clippy::option_option, reason = "no struct, or not in it")]
fn number_in(thrift: &mut Thrift<'_>, wanted: i64) -> Option<Option<i64>> {
    let (mut id, mut found) = (0, None);
    while let Some(kind) = thrift.field(&mut id)? {
        if id == wanted && kind == I32 {
            found = Some(thrift.signed()?);
        } else {
            thrift.skip(kind, 0)?;
        }
    }
    Some(found)
}

/// Reads from its header how many bytes a Bloom filter has, the header included.
pub(super) fn bloom_length(bytes: &[u8]) -> Option<usize> {
    let mut thrift = Thrift { rest: bytes };
    let bits = number_in(&mut thrift, 1)??;
    let header = bytes.len().saturating_sub(thrift.rest.len());
    header.checked_add(usize::try_from(bits).ok()?)
}
