//! The first look: a small set of bits that says "certainly not" for nearly every row.
//!
//! A Bloom filter whose bits for one hash lie in one 64-bit word, so that a look is one access to
//! memory: 16 bits for each identifier, four of them set. About one absent value in two hundred
//! passes, and is then looked at exactly. Whoever chooses values to pass makes us slower, not wrong.

/// Sixteen bits for each identifier that is expected; with more it lets more pass.
pub(super) struct Filter {
    words: Vec<u64>,
}

impl Filter {
    pub(super) fn with_room_for(identifiers: usize) -> Self {
        let words = identifiers.div_ceil(PER_WORD).max(MIN_WORDS);
        Self {
            words: vec![0; words],
        }
    }

    pub(super) fn insert(&mut self, hash: u64) {
        let bits = bits(hash);
        let at = self.place(hash);
        if let Some(word) = self.words.get_mut(at) {
            *word |= bits;
        }
    }

    /// Whether a hash may have been inserted; never false for one that was.
    pub(super) fn has(&self, hash: u64) -> bool {
        let bits = bits(hash);
        let word = self.words.get(self.place(hash)).copied();
        word.is_none_or(|word| word & bits == bits)
    }

    /// Spreads the hash's upper half over the words.
    fn place(&self, hash: u64) -> usize {
        let words = u64::try_from(self.words.len()).unwrap_or(u64::MAX);
        let place = (hash >> 32).saturating_mul(words) >> 32;
        usize::try_from(place).unwrap_or(usize::MAX)
    }
}

/// The four bits that the hash's lower half chooses.
fn bits(hash: u64) -> u64 {
    (1 << (hash & 63))
        | (1 << ((hash >> 6) & 63))
        | (1 << ((hash >> 12) & 63))
        | (1 << ((hash >> 18) & 63))
}

/// Hashes a text quickly. Not against enemies: what passes by it is looked at exactly.
pub(super) fn fold(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let mut hash = length.wrapping_mul(MULTIPLIER);
    for word in words.iter().chain(std::iter::once(&last)) {
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 29)
}

const PER_WORD: usize = 4;
const MIN_WORDS: usize = 64;
/// An odd number without pattern: the golden ratio's fraction.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inserted_is_never_missed_and_little_else_passes() {
        let text = |n: u32| format!("person{n}@example.org");
        let mut filter = Filter::with_room_for(100_000);
        for n in 0..100_000 {
            filter.insert(fold(text(n).as_bytes()));
        }
        assert!((0..100_000).all(|n| filter.has(fold(text(n).as_bytes()))));
        let passed = (100_000..200_000)
            .filter(|n| filter.has(fold(text(*n).as_bytes())))
            .count();
        assert!(passed < 1_000, "{passed} of 100,000 absent ones pass");
    }

    #[test]
    fn the_length_and_the_order_of_words_count() {
        assert_ne!(fold(b""), fold(b"\0"));
        assert_ne!(fold(b"aaaaaaaabbbbbbbb"), fold(b"bbbbbbbbaaaaaaaa"));
    }
}
