//! Rebuilding the whole log from its entries and comparing every file and the root.
//!
//! One bundle is held in memory at a time. A bundle that cannot be read is reported and stood in
//! for by its level-0 tile, so that one bad file does not hide the others. Older partial tiles and
//! bundles, and older checkpoints, are compared with the beginnings of the rebuilt tree. Who had to
//! sign the newest checkpoint is not asked here: see [`crate::policy`].

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::checkpoint::Checkpoint;
use crate::hash::{Hash, leaf_hash};
use crate::integrate::Edge;
use crate::note::VerifierKey;
use crate::tile::{HASH_BYTES, TileKind, TilePath, decode_bundle, decode_hashes};

mod listing;
mod problem;

pub use self::problem::{Problem, ProblemKind};

use self::listing::Listed;

/// Rebuilds the tree of `size` leaves from its entry bundles and compares every hash tile of every
/// level, and at last the root.
///
/// `read` gives a stored file, `None` if there is none, or why it cannot be read; `entry` sees each entry
/// with its index, in order. A partial tile that is gone may be replaced by the full one, as
/// `tlog-tiles` allows.
pub fn fsck<E: Display>(
    size: u64,
    root: &Hash,
    read: impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
    entry: impl FnMut(u64, &[u8]),
) -> FsckReport {
    let listed = Listed::default();
    Run::new(size, &listed, None, read, entry).rebuild(root)
}

/// As [`fsck()`], for a directory of which all files are listed: older partial tiles and bundles must be
/// beginnings of the rebuilt ones, `checkpoints/<n>` must be the log's, of the root at `n`, and nothing
/// else may lie there. Of `logs` those count that have the checkpoint's name: a log that changed its key
/// has several, and each signed some of what was kept.
pub fn fsck_directory<E: Display>(
    checkpoint: &Checkpoint,
    logs: &[VerifierKey],
    files: &BTreeSet<String>,
    read: impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
    entry: impl FnMut(u64, &[u8]),
) -> FsckReport {
    let size = checkpoint.size();
    let (listed, problems) = Listed::sort(files, size);
    let named = logs.iter().filter(|log| log.name() == checkpoint.origin());
    let keys: Vec<VerifierKey> = named.cloned().collect();
    let mut run = Run::new(size, &listed, Some(&keys), read, entry);
    run.report.problems = problems;
    run.rebuild(&checkpoint.root())
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

/// One rebuilding.
struct Run<'l, R, V> {
    listed: &'l Listed,
    /// The keys of the log whose kept checkpoints are compared.
    log: Option<&'l [VerifierKey]>,
    read: R,
    entry: V,
    report: FsckReport,
}

impl<'l, E, R, V> Run<'l, R, V>
where
    E: Display,
    R: FnMut(&str) -> Result<Option<Vec<u8>>, E>,
    V: FnMut(u64, &[u8]),
{
    fn new(
        size: u64,
        listed: &'l Listed,
        log: Option<&'l [VerifierKey]>,
        read: R,
        entry: V,
    ) -> Self {
        Self {
            listed,
            log,
            read,
            entry,
            report: FsckReport {
                size,
                root: None,
                files: 0,
                problems: Vec::new(),
            },
        }
    }

    fn rebuild(mut self, root: &Hash) -> FsckReport {
        let size = self.report.size;
        let mut edge = Edge::EMPTY;
        self.compare_checkpoint(&edge);
        for index in 0..size.div_ceil(256) {
            let Some(bundle) = TilePath::in_tree(TileKind::Entries, index, size) else {
                break;
            };
            let Some(leaves) = self.read_leaves(bundle).or_else(|| self.stand_in(bundle)) else {
                return self.report;
            };
            self.compare_older_bundles(bundle, &leaves);
            let mut full = Vec::new();
            for leaf in leaves {
                edge.push(leaf, &mut |path, hashes| full.push((path, hashes.to_vec())));
                self.compare_checkpoint(&edge);
            }
            for (path, hashes) in full {
                self.compare(path, &hashes);
            }
        }
        for (path, hashes) in edge.partials() {
            self.compare(path, hashes);
        }
        let rebuilt = edge.root();
        self.report.root = Some(rebuilt);
        if rebuilt != *root {
            let told = format!("the entries give the root {rebuilt}, the checkpoint says {root}");
            self.note("checkpoint", ProblemKind::Root, told);
        }
        self.report
    }

    fn note(&mut self, path: impl Display, kind: ProblemKind, explanation: impl Into<String>) {
        self.report.problems.push(Problem {
            path: path.to_string(),
            kind,
            explanation: explanation.into(),
        });
    }

    /// Reads a file; what is wrong about that is noted.
    fn file(&mut self, path: &str) -> Option<Vec<u8>> {
        match (self.read)(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.note(
                    path,
                    ProblemKind::Unreadable,
                    format!("cannot be read: {error}"),
                );
                None
            }
        }
    }

    /// Reads a tile, or the full tile in place of a partial one that is gone: then the path is the full
    /// one's.
    fn tile(&mut self, path: TilePath) -> Option<(TilePath, Vec<u8>)> {
        let before = self.report.problems.len();
        for path in [path, path.full()] {
            if let Some(bytes) = self.file(&path.to_string()) {
                self.report.files += 1;
                return Some((path, bytes));
            }
        }
        if self.report.problems.len() == before {
            let what = match path.kind() {
                TileKind::Entries => "entries",
                TileKind::Hashes(_) => "hashes",
            };
            let told = format!("is missing; it holds {} {what}", path.width());
            self.note(path, ProblemKind::Missing, told);
        }
        None
    }

    /// Reads a bundle and hashes its entries; `None` if that cannot be done.
    fn read_leaves(&mut self, path: TilePath) -> Option<Vec<Hash>> {
        let (found, bytes) = self.tile(path)?;
        let wanted = usize::from(found.width());
        let entries = match decode_bundle(&bytes) {
            Ok(entries) if entries.len() == wanted => entries,
            Ok(entries) => {
                let told = format!("must hold {wanted} entries and holds {}", entries.len());
                self.note(found, ProblemKind::Malformed, told);
                return None;
            }
            Err(_) => {
                let told = format!(
                    "must hold {wanted} entries; its {} bytes do not divide into entries",
                    bytes.len()
                );
                self.note(found, ProblemKind::Malformed, told);
                return None;
            }
        };
        let width = usize::from(path.width());
        let mut leaves = Vec::with_capacity(width);
        for (n, bytes) in (path.index() * 256..).zip(entries.iter().take(width)) {
            (self.entry)(n, bytes);
            leaves.push(leaf_hash(bytes));
        }
        Some(leaves)
    }

    /// Takes the leaves from the level-0 tile instead; what is wrong with that is told when it is compared.
    fn stand_in(&mut self, bundle: TilePath) -> Option<Vec<Hash>> {
        let path = bundle.of_kind(TileKind::Hashes(0));
        let (found, bytes) = self.tile(path)?;
        self.report.files -= 1;
        let mut hashes = decode_hashes(&bytes).unwrap_or_default();
        if hashes.len() != usize::from(found.width()) {
            self.note(found, ProblemKind::Differs, length(found, bytes.len()));
            return None;
        }
        hashes.truncate(usize::from(path.width()));
        Some(hashes)
    }

    /// Compares a hash tile, and all older partial ones in its place.
    fn compare(&mut self, path: TilePath, expected: &[Hash]) {
        if let Some((found, bytes)) = self.tile(path) {
            self.compare_hashes(found, expected, &bytes);
        }
        for older in self.listed.older(path) {
            if let Some(bytes) = self.file(&older.to_string()) {
                self.report.files += 1;
                self.compare_hashes(older, expected, &bytes);
            }
        }
    }

    /// The hashes of a full tile beyond the tree are nobody's to judge, but its length is.
    fn compare_hashes(&mut self, path: TilePath, expected: &[Hash], bytes: &[u8]) {
        if bytes.len() != usize::from(path.width()) * HASH_BYTES {
            self.note(path, ProblemKind::Differs, length(path, bytes.len()));
            return;
        }
        let found = decode_hashes(bytes).unwrap_or_default();
        let mut pairs = (0..path.width()).zip(expected.iter().zip(&found));
        if let Some((n, (expected, found))) = pairs.find(|(_, (expected, found))| expected != found)
        {
            let told = format!("hash {n} must be {expected} by the entries and is {found}");
            self.note(path, ProblemKind::Differs, told);
        }
    }

    /// Compares the older partial bundles in the place of one, by the leaves of their entries.
    fn compare_older_bundles(&mut self, bundle: TilePath, leaves: &[Hash]) {
        for older in self.listed.older(bundle) {
            let Some(bytes) = self.file(&older.to_string()) else {
                continue;
            };
            self.report.files += 1;
            let width = usize::from(older.width());
            let entries = decode_bundle(&bytes).unwrap_or_default();
            if entries.len() != width {
                let told = format!("must hold {width} entries and holds {}", entries.len());
                self.note(older, ProblemKind::Malformed, told);
                continue;
            }
            let differs = |(entry, leaf): (&&[u8], &Hash)| leaf_hash(entry) != *leaf;
            if let Some(n) = entries.iter().zip(leaves).position(differs) {
                let told = format!("entry {n} of it is not the one that the log has now");
                self.note(older, ProblemKind::Differs, told);
            }
        }
    }

    /// Compares the checkpoint that was kept of the tree as it is now.
    fn compare_checkpoint(&mut self, edge: &Edge) {
        let size = edge.size();
        let (Some(log), true) = (self.log, self.listed.has_checkpoint(size)) else {
            return;
        };
        let path = format!("checkpoints/{size}");
        let Some(bytes) = self.file(&path) else {
            return;
        };
        self.report.files += 1;
        let root = edge.root();
        match Checkpoint::open_any(&bytes, log) {
            Err(error) => self.note(path, ProblemKind::Malformed, error.to_string()),
            Ok((kept, ..)) if kept.size() != size => {
                let told = format!("must be of {size} entries and is of {}", kept.size());
                self.note(path, ProblemKind::Differs, told);
            }
            Ok((kept, ..)) if kept.root() != root => {
                let told = format!(
                    "the first {size} entries give the root {root}, it says {}",
                    kept.root()
                );
                self.note(path, ProblemKind::Root, told);
            }
            Ok(_) => {}
        }
    }
}

fn length(path: TilePath, bytes: usize) -> String {
    let expected = usize::from(path.width()) * HASH_BYTES;
    format!("must have {expected} bytes and has {bytes}")
}
