//! Appends to a log, or proves entries in it, so many times, with our code or with `tlog_tiles`: what
//! `tests/bench/log` measures.
//!
//! ```sh
//! cargo run --release -p quittance-tlog --example grow -- ours append 100000
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement, not a part of the product"
)]

use std::collections::BTreeMap;

use quittance_tlog::{RightEdge, inclusion_proof, integrate, leaf_hash, verify_inclusion};

/// As long as an entry of ours.
const ENTRY_BYTES: usize = 640;
/// As many as the sequencer takes at once.
const BATCH: usize = 256;
/// The tree in which entries are proven.
const TREE: u64 = 100_000;

fn entry(n: u64) -> Vec<u8> {
    let mut entry = vec![b'x'; ENTRY_BYTES];
    entry[..8].copy_from_slice(&n.to_le_bytes());
    entry
}

/// Hashes as `tlog_tiles` stores them.
struct Stored(Vec<tlog_tiles::Hash>);

impl tlog_tiles::HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let at = |index: &u64| self.0[usize::try_from(*index).unwrap()];
        Ok(indexes.iter().map(at).collect())
    }
}

fn theirs(count: u64) -> Stored {
    let mut stored = Stored(Vec::new());
    for n in 0..count {
        let more = tlog_tiles::stored_hashes(n, &entry(n), &stored).unwrap();
        stored.0.extend(more);
    }
    stored
}

fn ours(count: u64) -> (BTreeMap<String, Vec<u8>>, RightEdge) {
    let mut files = BTreeMap::new();
    let mut edge = RightEdge::empty();
    let all: Vec<u64> = (0..count).collect();
    for batch in all.chunks(BATCH) {
        let entries: Vec<Vec<u8>> = batch.iter().map(|n| entry(*n)).collect();
        let grown = integrate(&edge, &entries).unwrap();
        files.extend(grown.tiles);
        edge = grown.edge;
    }
    (files, edge)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let count: u64 = args[2].parse().unwrap();
    match (args[0].as_str(), args[1].as_str()) {
        ("ours", "append") => println!("{:?}", ours(count).1.root()),
        ("theirs", "append") => {
            let stored = theirs(count);
            println!("{:?}", tlog_tiles::tree_hash(count, &stored).unwrap());
        }
        ("ours", "prove") => {
            let (files, edge) = ours(TREE);
            for n in 0..count {
                let index = n.wrapping_mul(7_919) % TREE;
                let proof = inclusion_proof(TREE, index, &files).unwrap();
                let leaf = leaf_hash(&entry(index));
                verify_inclusion(&leaf, index, TREE, &proof, &edge.root()).unwrap();
            }
        }
        (_, _) => {
            let stored = theirs(TREE);
            let root = tlog_tiles::tree_hash(TREE, &stored).unwrap();
            for n in 0..count {
                let index = n.wrapping_mul(7_919) % TREE;
                let proof = tlog_tiles::prove_record(TREE, index, &stored).unwrap();
                let leaf = tlog_tiles::record_hash(&entry(index));
                tlog_tiles::check_record(&proof, TREE, root, index, leaf).unwrap();
            }
        }
    }
}
