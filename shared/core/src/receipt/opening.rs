//! Openings: one leaf of a receipt's evidence tree, shown without the others.
//!
//! A leaf is keyed twice. The request's key and the place make a key of this leaf alone; that key and
//! the place make the leaf. Giving out the leaf's key shows which place it names, and tells nothing of
//! the request's key, nor of any other leaf. Reading a request's leaves is in `quittance-engine`; whether
//! the receipt itself is to be believed is [`mod@super::verify`]'s.

use quittance_tlog::hash::tree_root;
use quittance_tlog::{Hash, leaf_hash, node_hash, verify_inclusion};
use serde::{Deserialize, Serialize};

use super::statement::{MAX_NUMBER, Statement, StoreLine};
use super::words::PublicName;
use crate::digest::{Digest, HmacKey, Tag};
use crate::id::StoreId;
use crate::manifest::Locator;
use crate::request::Right;

/// Returns the leaf that stands for a touched thing.
pub fn evidence_leaf(key: &HmacKey, right: Right, store: &StoreId, place: &Locator) -> Tag {
    leaf_of(&leaf_key(key, right, store, place), right, store, place)
}

/// RFC 6962 root over evidence leaves: one of them can be opened without the rest.
pub fn evidence_root(leaves: &[Tag]) -> Digest {
    Digest::new(*tree_root(&hashes(leaves)).as_bytes())
}

/// RFC 6962 root over the roots of a batch's members, in the order of its list: the evidence of one can be
/// opened without the others'.
pub fn members_root(roots: &[Digest]) -> Digest {
    Digest::new(*tree_root(&entries(roots)).as_bytes())
}

/// One leaf, its own key, and the path to the root. Whoever holds it can test guesses of the place.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    version: u64,
    evidence_root: Digest,
    count: u64,
    index: u64,
    right: Right,
    store: PublicName,
    store_id: StoreId,
    leaf: Tag,
    leaf_key: HmacKey,
    path: Vec<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member: Option<Member>,
}

/// Whose evidence of a batch the leaf is in: the root of a member, and its path to the batch's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    evidence_root: Digest,
    count: u64,
    index: u64,
    members: u64,
    path: Vec<Digest>,
}

impl Opening {
    /// Opens the leaf of a place; none if none of the leaves is its.
    pub fn build(
        key: &HmacKey,
        leaves: &[Tag],
        line: &StoreLine,
        right: Right,
        store: &StoreId,
        place: &Locator,
    ) -> Option<Self> {
        let leaf_key = leaf_key(key, right, store, place);
        let leaf = leaf_of(&leaf_key, right, store, place);
        let index = leaves.iter().position(|other| *other == leaf)?;
        let path = inclusion_path(&hashes(leaves), index);
        Some(Self {
            version: VERSION,
            evidence_root: evidence_root(leaves),
            count: u64::try_from(leaves.len()).ok()?,
            index: u64::try_from(index).ok()?,
            right,
            store: line.store.clone(),
            store_id: store.clone(),
            leaf,
            leaf_key,
            path: digests(&path),
            member: None,
        })
    }

    /// Makes a member's opening one of its batch, whose line is `line`. `roots` are those of all members who
    /// have one, in the order of the list, and this member's is at `index`.
    pub fn in_batch(self, roots: &[Digest], index: usize, line: &StoreLine) -> Option<Self> {
        let root = roots
            .get(index)
            .filter(|root| **root == self.evidence_root)?;
        let member = Member {
            evidence_root: *root,
            count: self.count,
            index: u64::try_from(index).ok()?,
            members: u64::try_from(roots.len()).ok()?,
            path: digests(&inclusion_path(&entries(roots), index)),
        };
        Some(Self {
            version: IN_BATCH,
            evidence_root: members_root(roots),
            count: line.evidence_count,
            store: line.store.clone(),
            member: Some(member),
            ..self
        })
    }

    /// Parses the canonical bytes of an opening.
    ///
    /// # Errors
    ///
    /// [`OpeningError::Malformed`] if these are not exactly an opening's, [`OpeningError::Version`] if it
    /// is of a version that is not known here.
    pub fn parse(bytes: &[u8]) -> Result<Self, OpeningError> {
        if bytes.len() > MAX_OPENING_BYTES {
            return Err(OpeningError::Malformed);
        }
        let opening: Self = serde_json::from_slice(bytes).map_err(|_| OpeningError::Malformed)?;
        let is_one = match (opening.version, &opening.member) {
            (VERSION, None) => true,
            (IN_BATCH, Some(member)) => member.count.max(member.members) <= MAX_NUMBER,
            (VERSION | IN_BATCH, _) => false,
            (other, _) => return Err(OpeningError::Version(other)),
        };
        if is_one && opening.count <= MAX_NUMBER && opening.to_canonical_bytes()? == bytes {
            Ok(opening)
        } else {
            Err(OpeningError::Malformed)
        }
    }

    /// Writes the canonical JSON bytes.
    ///
    /// # Errors
    ///
    /// [`OpeningError::Malformed`] if they cannot be written.
    pub fn to_canonical_bytes(&self) -> Result<Vec<u8>, OpeningError> {
        serde_json_canonicalizer::to_vec(self).map_err(|_| OpeningError::Malformed)
    }

    /// Checks that this opens a leaf of a verified receipt's statement, and that the leaf is this place's.
    ///
    /// # Errors
    ///
    /// [`OpeningError`] names the first thing that is not so.
    pub fn verify(&self, statement: &Statement, place: &Locator) -> Result<(), OpeningError> {
        let receipt = match statement {
            Statement::Receipt(_, receipt) | Statement::Amendment(_, receipt) => receipt,
            Statement::Acceptance(..) | Statement::Manifest(_) => return Err(OpeningError::Kind),
        };
        if receipt.members.is_some() != self.member.is_some() {
            return Err(OpeningError::Batch);
        }
        let is_line = |line: &StoreLine| {
            line.store == self.store
                && line.evidence_root.as_ref() == Some(&self.evidence_root)
                && line.evidence_count == self.count
        };
        if receipt.right != self.right || !receipt.stores.iter().any(is_line) {
            return Err(OpeningError::Line);
        }
        let (root, count) = match &self.member {
            None => (&self.evidence_root, self.count),
            Some(member) => {
                let entry = leaf_hash(member.evidence_root.as_bytes());
                let (at, of) = (member.index, member.members);
                stands(&entry, at, of, &member.path, &self.evidence_root)?;
                (&member.evidence_root, member.count)
            }
        };
        let leaf = leaf_hash(self.leaf.as_bytes());
        stands(&leaf, self.index, count, &self.path, root)?;
        if leaf_of(&self.leaf_key, self.right, &self.store_id, place) == self.leaf {
            Ok(())
        } else {
            Err(OpeningError::Place)
        }
    }
}

/// Why an opening shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// The receipt is a batch's and this opens one person's, or the other way round.
    #[error(
        "one of receipt and opening is a batch's, and the other one person's: it opens another receipt"
    )]
    Batch,
    /// Not a receipt's or amendment's statement.
    #[error("only receipts and amendments have evidence to open")]
    Kind,
    /// No line of the receipt has this right, store, root and count.
    #[error("no store of the receipt has this evidence: it opens another receipt")]
    Line,
    /// Not the canonical bytes of an opening.
    #[error("this is not an opening, or it was saved again: fetch it again, unchanged")]
    Malformed,
    /// The leaf does not stand in the tree.
    #[error("the leaf does not stand in the receipt's evidence")]
    Path,
    /// The leaf names another place.
    #[error("the leaf stands in the receipt's evidence, but names another place than this one")]
    Place,
    /// Of another version.
    #[error(
        "this is an opening of version {0}, and only versions {VERSION} and {IN_BATCH} are known here"
    )]
    Version(u64),
}

/// The key that opens one leaf. Under a domain of its own, so that no leaf is another one's key.
fn leaf_key(key: &HmacKey, right: Right, store: &StoreId, place: &Locator) -> HmacKey {
    let bytes = place.evidence_bytes();
    HmacKey::new(*key.tag(LEAF_KEY, &parts(right, store, &bytes)).as_bytes())
}

fn leaf_of(leaf_key: &HmacKey, right: Right, store: &StoreId, place: &Locator) -> Tag {
    let bytes = place.evidence_bytes();
    leaf_key.tag(LEAF, &parts(right, store, &bytes))
}

fn parts<'a>(right: Right, store: &'a StoreId, place: &'a [u8]) -> [&'a [u8]; 3] {
    [right.name().as_bytes(), store.as_str().as_bytes(), place]
}

fn stands(
    entry: &Hash,
    index: u64,
    count: u64,
    path: &[Digest],
    root: &Digest,
) -> Result<(), OpeningError> {
    let hash = |digest: &Digest| Hash::new(*digest.as_bytes());
    let path: Vec<Hash> = path.iter().map(hash).collect();
    verify_inclusion(entry, index, count, &path, &hash(root)).map_err(|_| OpeningError::Path)
}

fn digests(path: &[Hash]) -> Vec<Digest> {
    path.iter()
        .map(|hash| Digest::new(*hash.as_bytes()))
        .collect()
}

fn entries(roots: &[Digest]) -> Vec<Hash> {
    roots
        .iter()
        .map(|root| leaf_hash(root.as_bytes()))
        .collect()
}

fn hashes(leaves: &[Tag]) -> Vec<Hash> {
    leaves
        .iter()
        .map(|leaf| leaf_hash(leaf.as_bytes()))
        .collect()
}

/// RFC 6962 audit path, the leaf's sibling first. Level by level: a last node without a sibling goes up
/// as it is, which is the same tree as the recursive definition's.
fn inclusion_path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    let mut level = leaves.to_vec();
    let mut at = index;
    let mut path = Vec::new();
    while level.len() > 1 {
        path.extend(level.get(at ^ 1).copied());
        let above = level.chunks(2).filter_map(|pair| match pair {
            [left, right] => Some(node_hash(left, right)),
            [alone] => Some(*alone),
            _ => None,
        });
        level = above.collect();
        at >>= 1;
    }
    path
}

/// The media type of an opening.
pub const OPENING_MEDIA_TYPE: &str = "application/vnd.quittance.opening+json";
/// The longest opening that is parsed.
pub const MAX_OPENING_BYTES: usize = 16 * 1024;
/// Of one person's receipt.
const VERSION: u64 = 1;
/// Of a batch's receipt.
const IN_BATCH: u64 = 2;
const LEAF_KEY: &str = "dsr-evidence-key/v2";
const LEAF: &str = "dsr-evidence/v2";
