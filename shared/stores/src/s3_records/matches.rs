//! Sets of members' identifiers, kept from one object to the next: making one takes far longer than
//! looking through an object.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use quittance_core::data_map::Store;
use quittance_core::digest::{Digest, Tag};
use quittance_core::fault::Fault;
use quittance_core::matching::{MatchSet, MatchSetBuilder};
use quittance_engine::ports::Roster;

use crate::Rules;

/// The sets that were used last. `Debug` prints nothing of them.
#[derive(Clone, Default)]
pub(crate) struct MatchSets(Arc<Mutex<VecDeque<Known>>>);

struct Known {
    store: Digest,
    roster: Tag,
    set: Arc<MatchSet>,
}

impl MatchSets {
    /// Returns the set of a roster's members for a store, and makes it if it is not known.
    pub(super) fn of(
        &self,
        store: &Store,
        roster: &Roster,
        rules: &Rules,
    ) -> Result<Arc<MatchSet>, Fault> {
        if let Some(set) = self.again(store, &roster.tag) {
            return Ok(set);
        }
        let set = build(store, roster, rules)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.push_back(Known {
            store: store.digest(),
            roster: roster.tag,
            set: Arc::clone(&set),
        });
        while known.len() > MOST {
            known.pop_front();
        }
        Ok(set)
    }

    /// Returns a set that was made before, if it is still known.
    pub(super) fn again(&self, store: &Store, roster: &Tag) -> Option<Arc<MatchSet>> {
        let store = store.digest();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known
            .iter()
            .position(|known| known.store == store && known.roster == *roster)?;
        // What was used last goes last.
        let found = known.remove(at)?;
        let set = Arc::clone(&found.set);
        known.push_back(found);
        Some(set)
    }
}

fn build(store: &Store, roster: &Roster, rules: &Rules) -> Result<Arc<MatchSet>, Fault> {
    let blocked = |error: quittance_core::matching::MatchError| Fault::Block(error.block_reason());
    let mut builder =
        MatchSetBuilder::new(&store.find, rules, roster.members.len()).map_err(blocked)?;
    for (member, identifiers) in (0..).zip(&roster.members) {
        builder.add(member, identifiers).map_err(blocked)?;
    }
    Ok(Arc::new(builder.build()))
}

impl fmt::Debug for MatchSets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MatchSets")
    }
}

/// How many are kept: those of the sweeps that one function works on in turn.
const MOST: usize = 4;
