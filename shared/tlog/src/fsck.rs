//! Rebuilding the whole log from its entries and comparing every tile and the root.
//!
//! One bundle is held in memory at a time. A bundle that cannot be read is reported and stood in
//! for by its level-0 tile, so that one bad file does not hide the others. Whether the checkpoint is
//! signed is not asked here: see [`crate::policy`].

use crate::hash::{Hash, leaf_hash};
use crate::integrate::Edge;
use crate::tile::{TileKind, TilePath, decode_bundle, decode_hashes, encode_hashes};

/// Rebuilds the tree of `size` leaves from its entry bundles and compares every hash tile of every
/// level, and at last the root.
///
/// `read` gives a stored file or `None`; `entry` sees each entry with its index, in order. A partial
/// tile that is gone may be replaced by the full one, as `tlog-tiles` allows.
///
/// # Errors
///
/// Only what `read` fails with; everything found wrong is in the report.
pub fn fsck<E>(
    size: u64,
    root: &Hash,
    mut read: impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
    mut entry: impl FnMut(u64, &[u8]),
) -> Result<FsckReport, E> {
    let mut report = FsckReport {
        size,
        root: None,
        files: 0,
        problems: Vec::new(),
    };
    let mut edge = Edge::EMPTY;
    for index in 0..size.div_ceil(256) {
        let Some(bundle) = TilePath::in_tree(TileKind::Entries, index, size) else {
            break;
        };
        let leaves = match read_leaves(bundle, index, &mut read, &mut entry, &mut report)? {
            Some(leaves) => leaves,
            None => match stand_in(index, size, &mut read)? {
                Some(leaves) => leaves,
                None => return Ok(report),
            },
        };
        let mut full = Vec::new();
        let mut keep = |path, hashes: &[Hash]| full.push((path, encode_hashes(hashes)));
        for leaf in leaves {
            edge.push(leaf, &mut keep);
        }
        for (path, expected) in full {
            compare(path, &expected, &mut read, &mut report)?;
        }
    }
    for (path, hashes) in edge.partials() {
        compare(path, &encode_hashes(hashes), &mut read, &mut report)?;
    }
    let rebuilt = edge.root();
    report.root = Some(rebuilt);
    if rebuilt != *root {
        report.problems.push(Problem {
            path: "checkpoint".to_owned(),
            kind: ProblemKind::Root,
        });
    }
    Ok(report)
}

/// What the rebuilding found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FsckReport {
    /// How many leaves the checkpoint names.
    pub size: u64,
    /// The root as rebuilt; none if leaves were lost for good.
    pub root: Option<Hash>,
    /// How many files were compared.
    pub files: u64,
    /// What is wrong, in the order found.
    pub problems: Vec<Problem>,
}

impl FsckReport {
    /// Whether everything is as it should be.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }
}

/// One wrong file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which; `checkpoint` for the root.
    pub path: String,
    /// In what way.
    pub kind: ProblemKind,
}

/// In what way a file is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// A hash tile is not what the entries give.
    Differs,
    /// A bundle cannot be read, or has the wrong number of entries.
    Malformed,
    /// It is not there.
    Missing,
    /// The entries give another root than the checkpoint's.
    Root,
}

impl ProblemKind {
    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Malformed => "malformed",
            Self::Missing => "missing",
            Self::Root => "root",
        }
    }
}

/// Reads a bundle and hashes its entries; `None` if that cannot be done.
fn read_leaves<E>(
    path: TilePath,
    index: u64,
    read: &mut impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
    entry: &mut impl FnMut(u64, &[u8]),
    report: &mut FsckReport,
) -> Result<Option<Vec<Hash>>, E> {
    let Some(stored) = read_file(path, read)? else {
        report.problems.push(Problem {
            path: path.to_string(),
            kind: ProblemKind::Missing,
        });
        return Ok(None);
    };
    report.files += 1;
    let width = usize::from(path.width());
    let entries = decode_bundle(&stored.bytes).ok().filter(|entries| {
        if stored.is_full {
            entries.len() == 256
        } else {
            entries.len() == width
        }
    });
    let Some(entries) = entries else {
        report.problems.push(Problem {
            path: path.to_string(),
            kind: ProblemKind::Malformed,
        });
        return Ok(None);
    };
    let first = index * 256;
    for (n, bytes) in (first..).zip(entries.iter().take(width)) {
        entry(n, bytes);
    }
    Ok(Some(
        entries
            .iter()
            .take(width)
            .map(|bytes| leaf_hash(bytes))
            .collect(),
    ))
}

/// Takes the leaves from the level-0 tile instead.
fn stand_in<E>(
    index: u64,
    size: u64,
    read: &mut impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
) -> Result<Option<Vec<Hash>>, E> {
    let Some(path) = TilePath::in_tree(TileKind::Hashes(0), index, size) else {
        return Ok(None);
    };
    let hashes = read_file(path, read)?.and_then(|stored| decode_hashes(&stored.bytes).ok());
    let width = usize::from(path.width());
    Ok(hashes
        .filter(|hashes| hashes.len() >= width)
        .map(|mut hashes| {
            hashes.truncate(width);
            hashes
        }))
}

fn compare<E>(
    path: TilePath,
    expected: &[u8],
    read: &mut impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
    report: &mut FsckReport,
) -> Result<(), E> {
    let kind = match read_file(path, read)? {
        None => ProblemKind::Missing,
        Some(stored) => {
            report.files += 1;
            let agrees = if stored.is_full && path.is_partial() {
                stored.bytes.starts_with(expected)
            } else {
                stored.bytes == expected
            };
            if agrees {
                return Ok(());
            }
            ProblemKind::Differs
        }
    };
    report.problems.push(Problem {
        path: path.to_string(),
        kind,
    });
    Ok(())
}

/// A stored file, and whether it is a full tile.
struct Stored {
    bytes: Vec<u8>,
    is_full: bool,
}

/// Reads a tile, or the full tile in place of a partial one that is gone.
fn read_file<E>(
    path: TilePath,
    read: &mut impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
) -> Result<Option<Stored>, E> {
    if let Some(bytes) = read(&path.to_string())? {
        return Ok(Some(Stored {
            bytes,
            is_full: !path.is_partial(),
        }));
    }
    if path.is_partial() {
        let bytes = read(&path.full().to_string())?;
        return Ok(bytes.map(|bytes| Stored {
            bytes,
            is_full: true,
        }));
    }
    Ok(None)
}
