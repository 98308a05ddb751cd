//! Which files lie in a log's directory, sorted by what they are compared with.

use std::collections::{BTreeMap, BTreeSet};

use super::problem::{Problem, ProblemKind};
use crate::tile::{TILE_WIDTH, TileKind, TilePath};

/// The files beyond the tiles that the tree needs.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Tiles and bundles by their place, that are not the tree's own.
    tiles: BTreeMap<(TileKind, u64), Vec<TilePath>>,
    checkpoints: BTreeSet<u64>,
}

impl Listed {
    /// Sorts the files of a directory; what does not belong there is a problem.
    pub(super) fn sort(files: &BTreeSet<String>, size: u64) -> (Self, Vec<Problem>) {
        let mut listed = Self::default();
        let mut problems = Vec::new();
        for path in files {
            if let Some((kind, explanation)) = listed.take(path, files, size) {
                problems.push(Problem {
                    path: path.clone(),
                    kind,
                    explanation: explanation.to_owned(),
                });
            }
        }
        (listed, problems)
    }

    fn take(
        &mut self,
        path: &str,
        files: &BTreeSet<String>,
        size: u64,
    ) -> Option<(ProblemKind, &'static str)> {
        const AHEAD: &str = "belongs to a larger tree than the checkpoint's: fetch the checkpoint again, after \
                             everything else";
        const UNKNOWN: &str = "is no file of a log";
        if path == "checkpoint" || is_staging(path) {
            return None;
        }
        if let Some(digits) = path.strip_prefix("checkpoints/") {
            let Some(n) = digits
                .parse()
                .ok()
                .filter(|n: &u64| n.to_string() == digits)
            else {
                return Some((ProblemKind::Unknown, UNKNOWN));
            };
            if n > size {
                return Some((ProblemKind::Ahead, AHEAD));
            }
            self.checkpoints.insert(n);
            return None;
        }
        let Ok(tile) = TilePath::parse(path) else {
            return Some((ProblemKind::Unknown, UNKNOWN));
        };
        match TilePath::in_tree(tile.kind(), tile.index(), size) {
            Some(own) if tile.width() > own.width() && tile.width() < TILE_WIDTH => {
                Some((ProblemKind::Ahead, AHEAD))
            }
            Some(own) => {
                // A full tile stands in for the partial one that is gone.
                let is_own =
                    tile == own || (tile == own.full() && !files.contains(&own.to_string()));
                if !is_own {
                    let place = (tile.kind(), tile.index());
                    self.tiles.entry(place).or_default().push(tile);
                }
                None
            }
            None => Some((ProblemKind::Ahead, AHEAD)),
        }
    }

    /// Returns the other tiles in the place of one.
    pub(super) fn older(&self, tile: TilePath) -> impl Iterator<Item = TilePath> + use<'_> {
        let place = (tile.kind(), tile.index());
        self.tiles.get(&place).into_iter().flatten().copied()
    }

    /// Whether a checkpoint of this size was kept.
    pub(super) fn has_checkpoint(&self, size: u64) -> bool {
        self.checkpoints.contains(&size)
    }
}

/// Whether a path is a staging bundle's, `staging/<old size>-<size>-<root>`: the sequencer's own, which lies
/// beside the log and is no part of it.
fn is_staging(path: &str) -> bool {
    let Some(name) = path.strip_prefix("staging/") else {
        return false;
    };
    let parts: Vec<&str> = name.split('-').collect();
    let is_number = |text: &str| text.parse::<u64>().is_ok_and(|n| n.to_string() == text);
    let is_hex = |text: &str| {
        text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    matches!(parts.as_slice(), [old, new, root] if is_number(old) && is_number(new) && is_hex(root))
}
