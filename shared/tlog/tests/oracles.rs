//! The same trees, tiles, notes and proofs by other authors' crates: everything must agree.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may stop where it stands"
)]

use std::collections::{BTreeMap, HashMap};

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use quittance_tlog::{
    Checkpoint, Ed25519Signer, Hash, KeyKind, Note, RightEdge, VerifierKey, consistency_proof,
    inclusion_proof, integrate, leaf_hash,
};
use sha2::Sha256;
use signed_note::{Verifier, VerifierList};
use tlog_tiles::{Tile, TileHashReader, TileReader};

type Files = BTreeMap<String, Vec<u8>>;

fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| n.to_le_bytes().to_vec()).collect()
}

fn grow(all: &[Vec<u8>]) -> (Files, Hash) {
    let grown = integrate(&RightEdge::empty(), all).unwrap();
    (grown.tiles, grown.root)
}

fn theirs(hash: Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(*hash.as_bytes())
}

fn concat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// Lets `tlog_tiles` read our files; its paths carry the tile height.
struct OurTiles(Files);

impl TileReader for OurTiles {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        Ok(tiles
            .iter()
            .map(|tile| self.0[&our_path(*tile)].clone())
            .collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

fn our_path(tile: Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn ct_merkle_agrees_on_roots_and_proofs(
        count in 2usize..900, a: prop::sample::Index, b: prop::sample::Index,
    ) {
        let all = entries(count);
        let (files, root) = grow(&all);
        let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for entry in &all {
            tree.push(entry.clone());
        }
        prop_assert_eq!(tree.root().as_bytes().to_vec(), root.as_bytes().to_vec());

        let size = u64::try_from(count).unwrap();
        let index = a.index(count);
        let proof = inclusion_proof(size, u64::try_from(index).unwrap(), &files).unwrap();
        let expected = tree.prove_inclusion(index);
        prop_assert_eq!(expected.as_bytes(), concat(&proof));

        let added = 1 + b.index(count - 1);
        let old = u64::try_from(count - added).unwrap();
        let proof = consistency_proof(size, old, &files).unwrap();
        let expected = tree.prove_consistency(added);
        prop_assert_eq!(expected.as_bytes(), concat(&proof));
    }

    #[test]
    fn tlog_tiles_reads_our_tiles_and_proves_the_same(
        count in 2usize..900, old in 1usize..900, a: prop::sample::Index,
    ) {
        let all = entries(count);
        let (files, root) = grow(&all);
        let size = u64::try_from(count).unwrap();
        let tiles = OurTiles(files.clone());
        let reader = TileHashReader::new(size, theirs(root), &tiles);

        let index = u64::try_from(a.index(count)).unwrap();
        let proof = inclusion_proof(size, index, &files).unwrap();
        let expected = tlog_tiles::prove_record(size, index, &reader).unwrap();
        let leaf = leaf_hash(&all[a.index(count)]);
        tlog_tiles::check_record(&expected, size, theirs(root), index, theirs(leaf)).unwrap();
        prop_assert_eq!(&expected, &proof.iter().copied().map(theirs).collect::<Vec<_>>());

        let old = old.min(count);
        let old_root = grow(&all[..old]).1;
        let old = u64::try_from(old).unwrap();
        let proof = consistency_proof(size, old, &files).unwrap();
        let expected = tlog_tiles::prove_tree(size, old, &reader).unwrap();
        tlog_tiles::check_tree(&expected, size, theirs(root), old, theirs(old_root)).unwrap();
        prop_assert_eq!(expected, proof.into_iter().map(theirs).collect::<Vec<_>>());
    }

    #[test]
    fn tlog_tiles_would_publish_the_same_hash_tiles(before in 0usize..900, added in 0usize..900) {
        let all = entries(before + added);
        let first = integrate(&RightEdge::empty(), &all[..before]).unwrap();
        let second = integrate(&first.edge, &all[before..]).unwrap();
        let mut ours: Vec<String> =
            second.tiles.keys().filter(|path| !path.contains("entries")).cloned().collect();
        let (old, new) = (u64::try_from(before).unwrap(), second.new_size);
        let mut expected: Vec<String> =
            Tile::new_tiles(8, old, new).into_iter().map(our_path).collect();
        ours.sort();
        expected.sort();
        prop_assert_eq!(ours, expected);
    }

    #[test]
    fn checkpoints_are_read_by_tlog_tiles_and_signed_note(size in 1u64.., seed: [u8; 32]) {
        let signer = Ed25519Signer::from_seed("example.com/log", KeyKind::Ed25519, &seed).unwrap();
        let root = leaf_hash(&seed);
        let checkpoint = Checkpoint::new("example.com/log", size, root).unwrap();
        let note = signer.sign(checkpoint.to_note().unwrap()).unwrap();

        let read = tlog_tiles::Checkpoint::from_bytes(note.text().as_bytes()).unwrap();
        prop_assert_eq!(read.origin(), "example.com/log");
        prop_assert_eq!((read.size(), *read.hash()), (size, theirs(root)));
        prop_assert_eq!(read.to_bytes(), note.text().as_bytes());

        let their_note = signed_note::Note::from_bytes(note.to_string().as_bytes()).unwrap();
        let vkey = signer.verifier().to_string();
        let verifier = signed_note::StandardVerifier::new(&vkey).unwrap();
        prop_assert_eq!(verifier.key_id(), signer.verifier().id());
        let (verified, unknown) =
            their_note.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
        prop_assert_eq!((verified.len(), unknown.len()), (1, 0));
        prop_assert_eq!(their_note.to_bytes(), note.to_string().into_bytes());
    }
}

#[test]
fn a_note_signed_by_signed_note_verifies_here() {
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let key = VerifierKey::new(
        "example.com/x",
        KeyKind::Ed25519,
        key.verifying_key().as_bytes(),
    );
    let id = key.unwrap().id();
    let secret = format!(
        "PRIVATE+KEY+example.com/x+{id:08x}+{}",
        base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            [&[1][..], &[9; 32]].concat()
        )
    );
    let signer = signed_note::StandardSigner::new(&secret).unwrap();
    let mut theirs = signed_note::Note::new("a\n\nb\n".as_bytes(), &[]).unwrap();
    theirs.add_sigs(&[&signer]).unwrap();
    let note = Note::parse(&theirs.to_bytes()).unwrap();
    assert_eq!(note.text(), "a\n\nb\n");
    let ours = Ed25519Signer::from_seed("example.com/x", KeyKind::Ed25519, &[9; 32]).unwrap();
    assert_eq!(
        note.verify(std::slice::from_ref(ours.verifier()))
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        ours.sign(Note::unsigned("a\n\nb\n").unwrap()).unwrap(),
        note
    );
}

/// A note from elsewhere that either side refuses must be refused by both.
#[test]
fn the_two_note_parsers_accept_the_same() {
    let good = "text\n\n— name AAAAAAA=\n";
    let mut verdicts: HashMap<bool, usize> = HashMap::new();
    for at in 0..good.len() {
        for byte in [b'\n', b' ', b'A', b'=', b'+', 0x80] {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] = byte;
            let ours = Note::parse(&bytes).is_ok();
            assert_eq!(
                ours,
                signed_note::Note::from_bytes(&bytes).is_ok(),
                "{bytes:?}"
            );
            *verdicts.entry(ours).or_default() += 1;
        }
    }
    assert!(verdicts.len() == 2, "{verdicts:?}");
}
