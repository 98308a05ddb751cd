//! Client tokens: `T#tag` / `token`; immutable; swept away once they have expired.

use quittance_core::digest::Tag;
use quittance_core::fault::Fault;
use quittance_engine::ledger::ClientToken;

use super::attributes::{Attributes, EXPIRES, Place, epoch_seconds, write};

pub(super) const KIND: &str = "token";

pub(super) fn place(tag: Tag) -> Place {
    Place {
        pk: format!("T#{tag}"),
        sk: KIND.to_owned(),
    }
}

pub(super) fn attributes(token: &ClientToken) -> Result<Attributes, Fault> {
    let mut all = write(token)?;
    all.insert(EXPIRES.to_owned(), epoch_seconds(token.expires_at));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;

    proptest! {
        #[test]
        fn tokens_survive(item in arbitrary::token()) {
            arbitrary::survives(Item::Token(item))?;
        }
    }
}
