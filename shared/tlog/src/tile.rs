//! Tiles and entry bundles: the static files a log is served as (C2SP `tlog-tiles`).
//!
//! A hash tile holds up to 256 consecutive hashes of one level; level *L* hashes stand for
//! 256^*L* leaves each. An entry bundle holds up to 256 entries, each after its length as a
//! big-endian `u16`. A width below 256 is a partial tile, with a path of its own, so that no path
//! ever changes its bytes. Which tiles a proof needs is in [`crate::proof`].

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::hash::Hash;

/// How many hashes a full tile has, and how many entries a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// How many bytes a hash takes in a tile.
pub(crate) const HASH_BYTES: usize = 32;

/// The longest entry a bundle can hold.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// The longest file of a log: a full bundle of the longest entries.
pub const MAX_FILE_BYTES: usize = 256 * (2 + MAX_ENTRY_BYTES);

/// Gives tiles and bundles that were fetched before.
pub trait TileReader {
    /// Returns the bytes stored under exactly this path.
    fn tile(&self, path: &str) -> Option<&[u8]>;
}

impl<T: TileReader + ?Sized> TileReader for &T {
    fn tile(&self, path: &str) -> Option<&[u8]> {
        (**self).tile(path)
    }
}

impl TileReader for BTreeMap<String, Vec<u8>> {
    fn tile(&self, path: &str) -> Option<&[u8]> {
        self.get(path).map(Vec::as_slice)
    }
}

impl<S: std::hash::BuildHasher> TileReader for HashMap<String, Vec<u8>, S> {
    fn tile(&self, path: &str) -> Option<&[u8]> {
        self.get(path).map(Vec::as_slice)
    }
}

/// The first reader, then the second: freshly made tiles over fetched ones.
impl<A: TileReader, B: TileReader> TileReader for (A, B) {
    fn tile(&self, path: &str) -> Option<&[u8]> {
        self.0.tile(path).or_else(|| self.1.tile(path))
    }
}

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of this level, 0 to 63.
    Hashes(u8),
    /// Entries.
    Entries,
}

/// The place of a tile: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl TilePath {
    /// Names a tile; `None` unless level ≤ 63 and 1 ≤ width ≤ 256.
    pub fn new(kind: TileKind, index: u64, width: u16) -> Option<Self> {
        let level_is_legal = match kind {
            TileKind::Hashes(level) => level <= MAX_LEVEL,
            TileKind::Entries => true,
        };
        (level_is_legal && (1..=TILE_WIDTH).contains(&width)).then_some(Self { kind, index, width })
    }

    /// Names tile `index` of `kind` as it is in a tree of `size` leaves; `None` if it is empty there.
    pub fn in_tree(kind: TileKind, index: u64, size: u64) -> Option<Self> {
        let level = match kind {
            TileKind::Hashes(level) => level,
            TileKind::Entries => 0,
        };
        let count = hashes_at_level(size, level);
        let start = index.checked_mul(u64::from(TILE_WIDTH))?;
        let width = count.checked_sub(start)?.min(u64::from(TILE_WIDTH));
        Self::new(kind, index, u16::try_from(width).ok()?)
    }

    /// Parses a path; exactly one text stands for each tile.
    ///
    /// # Errors
    ///
    /// [`TileError::Path`] for anything else.
    pub fn parse(text: &str) -> Result<Self, TileError> {
        let malformed = || TileError::Path(text.chars().take(80).collect());
        let path = Self::parse_loosely(text).ok_or_else(malformed)?;
        // One comparison refuses leading zeros, signs, `.p/256` and every other spelling.
        if path.to_string() == text {
            Ok(path)
        } else {
            Err(malformed())
        }
    }

    /// Returns what the tile holds.
    pub const fn kind(&self) -> TileKind {
        self.kind
    }

    /// Returns the tile's number within its level.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Returns how many hashes or entries the tile holds, 1 to 256.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether the tile is still growing.
    pub const fn is_partial(&self) -> bool {
        self.width < TILE_WIDTH
    }

    /// Returns the same tile once it is full.
    #[must_use]
    pub const fn full(self) -> Self {
        Self {
            width: TILE_WIDTH,
            ..self
        }
    }

    /// Returns the tile of another kind in the same place.
    #[must_use]
    pub(crate) const fn of_kind(self, kind: TileKind) -> Self {
        Self { kind, ..self }
    }

    fn parse_loosely(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("tile/")?;
        let (level, rest) = rest.split_once('/')?;
        let kind = if level == "entries" {
            TileKind::Entries
        } else {
            TileKind::Hashes(level.parse().ok()?)
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok()?),
            None => (rest, TILE_WIDTH),
        };
        let mut index: u64 = 0;
        for part in number.split('/') {
            let digits = part.strip_prefix('x').unwrap_or(part);
            if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        Self::new(kind, index, width)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut thousands = Vec::new();
        let mut rest = self.index / 1000;
        while rest > 0 {
            thousands.push(rest % 1000);
            rest /= 1000;
        }
        for part in thousands.iter().rev() {
            write!(f, "x{part:03}/")?;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_partial() {
            write!(f, ".p/{}", self.width)
        } else {
            Ok(())
        }
    }
}

/// Returns how many hashes level `level` has in a tree of `size` leaves: `⌊size / 256^level⌋`.
pub(crate) fn hashes_at_level(size: u64, level: u8) -> u64 {
    size.checked_shr(u32::from(level) * 8).unwrap_or(0)
}

/// Writes hashes one after the other.
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// Reads a hash tile.
///
/// # Errors
///
/// [`TileError::Length`] unless there are whole hashes, 1 to 256 of them.
pub fn decode_hashes(bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || hashes.is_empty() || hashes.len() > usize::from(TILE_WIDTH) {
        return Err(TileError::Length);
    }
    Ok(hashes.iter().copied().map(Hash::new).collect())
}

/// Appends one entry to a bundle.
///
/// # Errors
///
/// [`TileError::EntryTooLong`] above 65,535 bytes.
pub fn append_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), TileError> {
    let length = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// Writes an entry bundle.
///
/// # Errors
///
/// [`TileError::EntryTooLong`] if an entry has more than 65,535 bytes.
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, TileError> {
    let mut bundle = Vec::new();
    for entry in entries {
        append_entry(&mut bundle, entry.as_ref())?;
    }
    Ok(bundle)
}

/// Reads an entry bundle.
///
/// # Errors
///
/// [`TileError::Length`] if a length points past the end, or there are not 1 to 256 entries.
pub fn decode_bundle(bytes: &[u8]) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or(TileError::Length)?;
        entries.push(entry);
        rest = after;
    }
    if !rest.is_empty() || entries.is_empty() || entries.len() > usize::from(TILE_WIDTH) {
        return Err(TileError::Length);
    }
    Ok(entries)
}

/// Reads the hashes of a tile; a partial tile that is gone is cut from the full one. Either must have
/// exactly as many as its path says.
pub(crate) fn read_hashes(path: TilePath, tiles: &impl TileReader) -> Result<Vec<Hash>, TileError> {
    let (found, bytes) = read(path, tiles)?;
    let mut hashes = decode_hashes(bytes)?;
    if hashes.len() != usize::from(found.width()) {
        return Err(TileError::Length);
    }
    hashes.truncate(usize::from(path.width()));
    Ok(hashes)
}

/// Reads the entries of a bundle; a partial bundle that is gone is cut from the full one.
pub(crate) fn read_entries(
    path: TilePath,
    tiles: &impl TileReader,
) -> Result<Vec<&[u8]>, TileError> {
    let (found, bytes) = read(path, tiles)?;
    let mut entries = decode_bundle(bytes)?;
    if entries.len() != usize::from(found.width()) {
        return Err(TileError::Length);
    }
    entries.truncate(usize::from(path.width()));
    Ok(entries)
}

/// Returns a tile and its path, or the full one's in its place.
fn read(path: TilePath, tiles: &impl TileReader) -> Result<(TilePath, &[u8]), TileError> {
    [path, path.full()]
        .into_iter()
        .find_map(|path| Some((path, tiles.tile(&path.to_string())?)))
        .ok_or_else(|| TileError::Missing(path.to_string()))
}

/// What can be wrong with a tile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// An entry does not fit a bundle's length field.
    #[error("an entry of {0} bytes is longer than the 65,535 a bundle can hold")]
    EntryTooLong(usize),
    /// The bytes do not divide into hashes or entries.
    #[error("the tile's length is wrong")]
    Length,
    /// A tile that is needed was not given.
    #[error("tile {0} is missing")]
    Missing(String),
    /// Not a tile's path.
    #[error("not a tile path: {0:?}")]
    Path(String),
}

const MAX_LEVEL: u8 = 63;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_specifications_example_path_comes_out() {
        let path = TilePath::new(TileKind::Hashes(0), 1_234_067, 256).unwrap();
        assert_eq!(path.to_string(), "tile/0/x001/x234/067");
        let partial = TilePath::new(TileKind::Entries, 5, 112).unwrap();
        assert_eq!(partial.to_string(), "tile/entries/005.p/112");
    }

    #[test]
    fn the_specifications_example_tree_has_its_tiles() {
        let of = |level, index| TilePath::in_tree(TileKind::Hashes(level), index, 70_000);
        assert_eq!(of(0, 272).unwrap().to_string(), "tile/0/272");
        assert_eq!(of(0, 273).unwrap().to_string(), "tile/0/273.p/112");
        assert_eq!(of(0, 274), None);
        assert_eq!(of(1, 0).unwrap().to_string(), "tile/1/000");
        assert_eq!(of(1, 1).unwrap().to_string(), "tile/1/001.p/17");
        assert_eq!(of(2, 0).unwrap().to_string(), "tile/2/000.p/1");
        assert_eq!(of(3, 0), None);
    }

    #[test]
    fn other_spellings_of_a_path_are_refused() {
        for bad in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/00/000",
            "tile/64/000",
            "tile/0/0",
            "tile/0/x000",
            "tile/0/000/000",
            "tile/0/x000/000",
            "tile/0/x001/x000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/+1/000",
            "/tile/0/000",
            "tile/entries/000.p/+1",
            "tile/0/000 ",
            "tile/data/000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert!(TilePath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bundle_with_a_wrong_length_is_refused() {
        for bad in [&[][..], &[0], &[0, 2, 1], &[0, 0, 0], &[0; 514]] {
            assert_eq!(decode_bundle(bad), Err(TileError::Length), "{bad:?}");
        }
        let long = vec![0; MAX_ENTRY_BYTES + 1];
        assert_eq!(encode_bundle(&[long]), Err(TileError::EntryTooLong(65_536)));
    }

    proptest! {
        #[test]
        fn paths_survive_their_text(level in 0u8..=64, index: u64, width in 1u16..=256) {
            let kind = if level == 64 { TileKind::Entries } else { TileKind::Hashes(level) };
            let path = TilePath::new(kind, index, width).unwrap();
            prop_assert_eq!(TilePath::parse(&path.to_string()), Ok(path));
        }

        #[test]
        fn bundles_survive_their_bytes(
            entries in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 0..40), 1..=256)
        ) {
            let bytes = encode_bundle(&entries).unwrap();
            prop_assert_eq!(decode_bundle(&bytes).unwrap(), entries);
        }
    }
}
