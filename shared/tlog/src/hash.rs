//! Hashes of the RFC 6962 Merkle tree (SHA-256).
//!
//! A leaf's hash is `SHA-256(0x00 ‖ entry)`, a node's `SHA-256(0x01 ‖ left ‖ right)`; the two
//! prefixes keep a node from being passed off as a leaf. How a large tree is kept in pieces is in
//! [`crate::tile`].

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// A node of the tree; standard Base64 in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The root of the empty tree: SHA-256 of nothing.
    pub const EMPTY_ROOT: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);

    /// Wraps 32 bytes that are a hash already.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Parses strict standard Base64 (padded, canonical) of exactly 32 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hashes a log entry: `SHA-256(0x00 ‖ entry)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(
        Sha256::new()
            .chain_update([0])
            .chain_update(entry)
            .finalize()
            .into(),
    )
}

/// Hashes two subtrees into one: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(
        Sha256::new()
            .chain_update([1])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

/// Computes the root over all leaf hashes: RFC 6962's definition, to the letter.
pub fn tree_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&tree_root(left), &tree_root(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree that Certificate Transparency's own tests have used since 2013.
    #[test]
    fn the_published_certificate_transparency_roots_come_out() {
        let inputs: [&[u8]; 8] = [
            &[],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[
                0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d,
                0x6e, 0x6f,
            ],
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let leaves: Vec<Hash> = inputs.iter().map(|input| leaf_hash(input)).collect();
        assert_eq!(tree_root(&[]), Hash::EMPTY_ROOT);
        for (n, root) in roots.iter().enumerate() {
            let bytes: Vec<u8> = (0..64)
                .step_by(2)
                .map(|at| u8::from_str_radix(&root[at..at + 2], 16).unwrap())
                .collect();
            assert_eq!(
                tree_root(&leaves[..=n]).as_bytes()[..],
                bytes,
                "size {}",
                n + 1
            );
        }
    }

    #[test]
    fn only_one_text_stands_for_a_hash() {
        let hash = leaf_hash(b"x");
        let text = hash.to_string();
        assert_eq!(Hash::parse(&text), Some(hash));
        assert_eq!(Hash::parse(text.trim_end_matches('=')), None);
        assert_eq!(Hash::parse(&format!("{text}\n")), None);
        // The last digit before the padding carries two unused bits: they must be zero.
        let digits: Vec<char> = text.chars().collect();
        let loose: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').collect();
        let accepted = loose.iter().filter(|c| {
            let mut other = digits.clone();
            other[42] = **c;
            Hash::parse(&other.iter().collect::<String>()).is_some()
        });
        assert!(accepted.count() <= 16);
    }
}
