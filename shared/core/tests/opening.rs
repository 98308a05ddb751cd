//! Openings: what they show, to whom, and what they keep to themselves.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]
#![expect(
    dead_code,
    unreachable_pub,
    reason = "the fixture serves several test programs"
)]

mod receipt_fixture;

use std::collections::BTreeMap;

use proptest::prelude::*;
use quittance_core::digest::{Digest, HmacKey, Tag};
use quittance_core::id::StoreId;
use quittance_core::manifest::{KeyValue, Locator};
use quittance_core::receipt::statement::MembersLine;
use quittance_core::receipt::{
    AcceptanceLeaf, Checkpoint, Opening, OpeningError, PublicName, Receipt, Statement, StoreLine,
    evidence_leaf, evidence_root, members_root,
};
use quittance_core::request::Right;
use sha2::{Digest as _, Sha256};

const RIGHT: Right = Right::Deletion;

fn key() -> HmacKey {
    HmacKey::new([0x2a; 32])
}

fn store() -> StoreId {
    StoreId::parse("customers").unwrap()
}

fn place(n: usize) -> Locator {
    let value = KeyValue::S(format!("customer-{n}"));
    Locator::Item {
        key: BTreeMap::from([("pk".to_owned(), value)]),
    }
}

fn leaves(count: usize) -> Vec<Tag> {
    (0..count)
        .map(|n| evidence_leaf(&key(), RIGHT, &store(), &place(n)))
        .collect()
}

fn receipt(leaves: &[Tag]) -> Receipt {
    let mut receipt = receipt_fixture::outcome(AcceptanceLeaf {
        leaf_index: 1,
        leaf_hash: Digest::of(b"leaf"),
        checkpoint: Checkpoint {
            size: 2,
            root: Digest::of(b"root"),
        },
    });
    let line: &mut StoreLine = receipt.stores.first_mut().unwrap();
    line.evidence_root = Some(evidence_root(leaves));
    line.evidence_count = u64::try_from(leaves.len()).unwrap();
    receipt
}

fn statement(leaves: &[Tag]) -> Statement {
    Statement::Receipt(receipt_fixture::about(), receipt(leaves))
}

fn open(leaves: &[Tag], n: usize) -> Option<Opening> {
    let receipt = receipt(leaves);
    let line = receipt.stores.first().unwrap();
    Opening::build(&key(), leaves, line, RIGHT, &store(), &place(n))
}

/// A batch whose members have so many things each: every member with a key of their own.
struct Crowd(Vec<Vec<Tag>>);

impl Crowd {
    fn new(counts: &[usize]) -> Self {
        let one = |(n, count): (usize, &usize)| {
            let key = Self::key(n);
            (0..*count)
                .map(|thing| evidence_leaf(&key, RIGHT, &store(), &place(thing)))
                .collect()
        };
        Self(counts.iter().enumerate().map(one).collect())
    }

    fn key(member: usize) -> HmacKey {
        HmacKey::new([u8::try_from(member).unwrap(); 32])
    }

    fn roots(&self) -> Vec<Digest> {
        self.0.iter().map(|leaves| evidence_root(leaves)).collect()
    }

    fn receipt(&self) -> Receipt {
        let mut receipt = receipt(&[]);
        let count = u64::try_from(self.0.len()).unwrap();
        receipt.members = Some(MembersLine {
            count,
            completed: count,
            partial: 0,
            denied: 0,
            revoked: 0,
        });
        let line = receipt.stores.first_mut().unwrap();
        line.evidence_root = Some(members_root(&self.roots()));
        line.evidence_count = u64::try_from(self.0.iter().flatten().count()).unwrap();
        receipt
    }

    fn statement(&self) -> Statement {
        Statement::Receipt(receipt_fixture::about(), self.receipt())
    }

    fn open(&self, member: usize, thing: usize) -> Opening {
        let receipt = self.receipt();
        let line = receipt.stores.first().unwrap();
        let key = Self::key(member);
        let leaves = self.0.get(member).unwrap();
        let own = Opening::build(&key, leaves, line, RIGHT, &store(), &place(thing));
        own.unwrap().in_batch(&self.roots(), member, line).unwrap()
    }
}

/// RFC 6962's `PATH(m, D[n])`, as it is written there.
fn naive_path(m: usize, leaves: &[Tag]) -> Vec<[u8; 32]> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut path, sibling) = if m < k {
        (naive_path(m, left), naive_root(right))
    } else {
        (naive_path(m - k, right), naive_root(left))
    };
    path.push(sibling);
    path
}

fn naive_root(leaves: &[Tag]) -> [u8; 32] {
    if let [leaf] = leaves {
        return Sha256::new()
            .chain_update([0])
            .chain_update(leaf.as_bytes())
            .finalize()
            .into();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    Sha256::new()
        .chain_update([1])
        .chain_update(naive_root(left))
        .chain_update(naive_root(right))
        .finalize()
        .into()
}

proptest! {
    #[test]
    fn any_leaf_of_any_tree_opens_at_its_place_and_nowhere_else(count in 1_usize..70, at in any::<prop::sample::Index>(), other in 0_usize..80) {
        let leaves = leaves(count);
        let n = at.index(count);
        let opening = open(&leaves, n).unwrap();
        let bytes = opening.to_canonical_bytes().unwrap();
        let read = Opening::parse(&bytes).unwrap();
        prop_assert_eq!(read.verify(&statement(&leaves), &place(n)), Ok(()));
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let expected: Vec<String> = naive_path(n, &leaves).into_iter().map(|hash| Digest::new(hash).to_string()).collect();
        prop_assert_eq!(&json["path"], &serde_json::json!(expected));
        prop_assert_eq!(&json["evidence_root"], &serde_json::json!(Digest::new(naive_root(&leaves)).to_string()));
        if other != n {
            prop_assert_eq!(read.verify(&statement(&leaves), &place(other)), Err(OpeningError::Place));
        }
    }
}

proptest! {
    #[test]
    fn any_leaf_of_any_member_opens_under_the_batchs_root_and_nowhere_else(counts in prop::collection::vec(1_usize..9, 1..30), whose in any::<prop::sample::Index>(), what in any::<prop::sample::Index>()) {
        let crowd = Crowd::new(&counts);
        let member = whose.index(counts.len());
        let thing = what.index(counts[member]);
        let bytes = crowd.open(member, thing).to_canonical_bytes().unwrap();
        let read = Opening::parse(&bytes).unwrap();
        prop_assert_eq!(read.verify(&crowd.statement(), &place(thing)), Ok(()));
        prop_assert_eq!(read.verify(&crowd.statement(), &place(thing + 1)), Err(OpeningError::Place));
        // Paths and roots by the recursive definition, over entries of 32 bytes on both levels.
        let tags: Vec<Tag> = crowd.roots().iter().map(|root| Tag::from(*root)).collect();
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let hex = |path: Vec<[u8; 32]>| -> Vec<String> { path.into_iter().map(|hash| Digest::new(hash).to_string()).collect() };
        prop_assert_eq!(&json["path"], &serde_json::json!(hex(naive_path(thing, &crowd.0[member]))));
        prop_assert_eq!(&json["member"]["path"], &serde_json::json!(hex(naive_path(member, &tags))));
        prop_assert_eq!(&json["evidence_root"], &serde_json::json!(Digest::new(naive_root(&tags)).to_string()));
    }
}

#[test]
fn every_bit_of_a_members_opening_matters() {
    let crowd = Crowd::new(&[2, 5, 3]);
    let statement = crowd.statement();
    let good = crowd.open(1, 4).to_canonical_bytes().unwrap();
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let verdict = Opening::parse(&bytes).and_then(|it| it.verify(&statement, &place(4)));
        assert!(verdict.is_err(), "bit {bit}");
    }
}

#[test]
fn a_batchs_opening_is_no_persons_and_a_persons_no_batchs() {
    let crowd = Crowd::new(&[3, 1]);
    let own = leaves(3);
    let (batchs, persons) = (crowd.open(0, 1), open(&own, 1).unwrap());
    assert_eq!(
        batchs.verify(&statement(&own), &place(1)),
        Err(OpeningError::Batch)
    );
    assert_eq!(
        persons.verify(&crowd.statement(), &place(1)),
        Err(OpeningError::Batch)
    );
    // A member's own root is not the batch's, not even when there is only one.
    let alone = Crowd::new(&[3]);
    assert_ne!(alone.roots()[0], members_root(&alone.roots()));
    // Whoever is not at that place of the list has no opening there.
    let receipt = crowd.receipt();
    let line = receipt.stores.first().unwrap();
    let build = || {
        Opening::build(
            &Crowd::key(0),
            &crowd.0[0],
            line,
            RIGHT,
            &store(),
            &place(1),
        )
    };
    assert!(build().unwrap().in_batch(&crowd.roots(), 1, line).is_none());
    assert!(build().unwrap().in_batch(&crowd.roots(), 2, line).is_none());
}

#[test]
fn every_bit_of_an_opening_matters() {
    for (count, n) in [(1, 0), (5, 4), (6, 2)] {
        let leaves = leaves(count);
        let statement = statement(&leaves);
        let good = open(&leaves, n).unwrap().to_canonical_bytes().unwrap();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let opening = Opening::parse(&bytes);
            let verdict = opening.and_then(|opening| opening.verify(&statement, &place(n)));
            assert!(verdict.is_err(), "{count} {n} bit {bit}");
        }
    }
}

#[test]
fn nothing_but_one_leafs_key_is_given_out() {
    let leaves = leaves(5);
    let bytes = open(&leaves, 2).unwrap().to_canonical_bytes().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let secret: String = key().into();
    assert!(!text.contains(&secret) && !text.contains("customer-2"));
    // Whoever tries the key that was given out as the request's, or as another leaf's, opens nothing.
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let given = json["leaf_key"].as_str().unwrap().to_owned();
    let given = HmacKey::try_from(given).unwrap();
    for n in 0..5 {
        let guess = evidence_leaf(&given, RIGHT, &store(), &place(n));
        assert!(!leaves.contains(&guess));
        if n != 2 {
            let mut forged = json.clone();
            forged["leaf"] = serde_json::json!(leaves[n]);
            let forged = serde_json_canonicalizer::to_vec(&forged).unwrap();
            let forged = Opening::parse(&forged).unwrap();
            assert!(forged.verify(&statement(&leaves), &place(n)).is_err());
        }
    }
    assert!(!format!("{:?}", open(&leaves, 2).unwrap()).contains(&json["leaf_key"].to_string()));
}

#[test]
fn the_leaf_is_made_exactly_as_the_specification_says() {
    let place = place(0).evidence_bytes();
    assert_eq!(place, br#"{"item":{"key":{"pk":{"S":"customer-0"}}}}"#);
    let parts: [&[u8]; 3] = [b"deletion", b"customers", &place];
    let own = HmacKey::new(*key().tag("dsr-evidence-key/v2", &parts).as_bytes());
    assert_eq!(own.tag("dsr-evidence/v2", &parts), leaves(1)[0]);
}

/// A vector of `docs/RECEIPT.md`, section 12, made by a few lines of Python and not by this code.
#[test]
fn the_specifications_vector_of_a_batch_is_what_is_written() {
    let bytes = Crowd::new(&[2, 3]).open(1, 1).to_canonical_bytes().unwrap();
    let digest = "9bf9a60e99df1e65d57a9b02771ff46738027a5c2599b7f74ac550e9710509f1";
    assert_eq!(
        Digest::of(&bytes).to_string(),
        digest,
        "{}",
        String::from_utf8(bytes).unwrap()
    );
}

/// The vector of `docs/RECEIPT.md`, section 12, made by a few lines of Python and not by this code.
#[test]
fn the_specifications_vector_is_what_is_written() {
    let bytes = open(&leaves(3), 1).unwrap().to_canonical_bytes().unwrap();
    let digest = "f8674f8bc9716059667558ff5ed95e6c1850e42c1594a71608469e6267f4c034";
    assert_eq!(
        Digest::of(&bytes).to_string(),
        digest,
        "{}",
        String::from_utf8(bytes).unwrap()
    );
}

#[test]
fn a_place_that_was_not_touched_has_no_opening() {
    assert!(open(&leaves(3), 3).is_none());
    assert!(open(&[], 0).is_none());
}

#[test]
fn an_opening_opens_the_receipt_it_was_made_for_and_no_other() {
    let leaves = leaves(4);
    let opening = open(&leaves, 1).unwrap();
    let about = receipt_fixture::about;
    let good = receipt(&leaves);
    let amended = Statement::Amendment(about(), good.clone());
    assert_eq!(opening.verify(&amended, &place(1)), Ok(()));
    let changes: [fn(&mut Receipt); 4] = [
        |receipt| receipt.right = Right::Access,
        |receipt| receipt.stores[0].evidence_count += 1,
        |receipt| receipt.stores[0].evidence_root = Some(Digest::of(b"other")),
        |receipt| receipt.stores[0].store = PublicName::parse("Another store").unwrap(),
    ];
    for change in changes {
        let mut other = good.clone();
        change(&mut other);
        let other = Statement::Receipt(about(), other);
        assert_eq!(opening.verify(&other, &place(1)), Err(OpeningError::Line));
    }
    let acceptance = Statement::Acceptance(about(), receipt_fixture::acceptance());
    assert_eq!(
        opening.verify(&acceptance, &place(1)),
        Err(OpeningError::Kind)
    );
}

#[test]
fn what_is_not_canonical_or_of_a_later_version_is_refused() {
    let bytes = open(&leaves(2), 0).unwrap().to_canonical_bytes().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    for (bad, error) in [
        (format!("{text}\n"), OpeningError::Malformed),
        (text.replacen(':', ": ", 1), OpeningError::Malformed),
        (text.replacen('{', "{\"a\":1,", 1), OpeningError::Malformed),
        (
            text.replace("\"version\":1", "\"version\":3"),
            OpeningError::Version(3),
        ),
        (
            text.replace("\"version\":1", "\"version\":2"),
            OpeningError::Malformed,
        ),
        (String::new(), OpeningError::Malformed),
        (" ".repeat(20_000), OpeningError::Malformed),
    ] {
        assert_eq!(Opening::parse(bad.as_bytes()).unwrap_err(), error);
    }
}
