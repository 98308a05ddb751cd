//! A sweep's papers in its own vault: who its members are, what its shards hold and came to.

use std::collections::{BTreeMap, BTreeSet};

use quittance_core::digest::Tag;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::RequestId;
use quittance_core::manifest::{Cursor, Match};
use quittance_core::subject::Identifiers;
use quittance_core::sweep::{ObjectRef, Shard, Sweep};
use serde::{Deserialize, Serialize};

use super::super::Worker;
use crate::ledger::{Item, Listing};
use crate::papers::{parse_json, to_json};
use crate::ports::{MemberRows, Roster};
use crate::record::Record;
use crate::{reading, vault};

/// Everybody a sweep serves; never changes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Members {
    pub(super) v: u8,
    pub(super) members: Vec<Member>,
}

/// One of them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) request: RequestId,
    /// Under which data map it was planned: another plan's task takes no manifest from this sweep.
    pub(super) generation: u32,
    pub(super) identifiers: Identifiers,
    /// The find sweep that located their rows.
    pub(super) found_by: Option<u32>,
}

/// The objects of a shard.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ShardFile {
    pub(super) v: u8,
    pub(super) objects: Vec<ObjectRef>,
    /// Where the listing goes on; none in the round's last shard.
    pub(super) next: Option<Cursor>,
}

/// What one committed piece of a shard came to, object by object.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) v: u8,
    pub(super) round: u8,
    pub(super) results: Vec<ObjectResult>,
}

/// What one object came to.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ObjectResult {
    pub(super) object: ObjectRef,
    /// The entity tag it has now, as far as we know; none when it is gone.
    pub(super) etag: Option<String>,
    pub(super) before: u64,
    pub(super) after: u64,
    pub(super) matched: Vec<MemberRows>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) records: Vec<(u32, Record)>,
    /// Of a table: the items, by member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) located: Vec<(u32, Match)>,
    pub(super) blocked: Option<BlockReason>,
}

impl std::fmt::Debug for ObjectResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ObjectResult(***)")
    }
}

/// An object, or one version of it, by its name.
pub(super) type Name = (String, Option<String>);

pub(super) fn name_of(object: &ObjectRef) -> Name {
    (object.key.clone(), object.version.clone())
}

/// What a sweep knows of some objects: the entity tag each had when it was clean, in whatever sense
/// is asked for.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<Name, Option<String>>);

impl Known {
    /// Whether the object was clean as it is now.
    pub(super) fn is_clean(&self, object: &ObjectRef) -> bool {
        self.0
            .get(&name_of(object))
            .is_some_and(|etag| etag.as_deref() == Some(&object.etag))
    }

    /// Returns the entity tag with which an object was clean.
    pub(super) fn seen(&self, name: &Name) -> Option<&str> {
        self.0.get(name)?.as_deref()
    }

    /// Takes what was seen last of an object.
    pub(super) fn see(&mut self, result: &ObjectResult, clean: bool) {
        let name = name_of(&result.object);
        if clean {
            self.0.insert(name, result.etag.clone());
        } else {
            self.0.remove(&name);
        }
    }
}

impl Worker {
    /// Stores a member file in a fresh vault; returns the vault and the file's keyed hash.
    pub(super) async fn deposit_members(
        &self,
        members: &Members,
    ) -> Result<(RequestId, Tag), Fault> {
        let mut id = [0; 16];
        id.iter_mut()
            .zip(self.clock.random())
            .for_each(|(to, from)| *to = from);
        let id = RequestId::new(id);
        let bytes = to_json(members)?;
        self.deposit.deposit(id, &bytes).await?;
        // A crash here leaves papers of nothing: the clock shreds them after a day.
        Ok((id, self.members_tag(&bytes)))
    }

    fn members_tag(&self, bytes: &[u8]) -> Tag {
        self.keys.subject.tag("dsr-sweep-members/v1", &[bytes])
    }

    pub(super) async fn members(&self, sweep: &Sweep) -> Result<Members, Fault> {
        let bytes = self.vault.read(sweep.vault, vault::PAPERS).await?;
        let bytes = bytes.ok_or_else(|| gone("member file"))?;
        if self.members_tag(&bytes) != sweep.members_tag {
            return Err(Fault::reject("vault: a sweep's member file was changed"));
        }
        parse_json(&bytes)
    }

    pub(super) async fn shard_file(&self, sweep: &Sweep, k: u32) -> Result<ShardFile, Fault> {
        let bytes = self.vault.read(sweep.vault, &vault::shard(k)).await?;
        parse_json(&bytes.ok_or_else(|| gone("shard"))?)
    }

    /// Reads a sweep's shards from the ledger, in order, with their versions.
    pub(super) async fn shards(
        &self,
        sweep: &Sweep,
    ) -> Result<Vec<(Shard, crate::ledger::Version)>, Fault> {
        let listing = Listing::Shards(sweep.id.clone());
        let stored = reading::everything(&*self.ledger, &listing).await?;
        Ok(stored
            .into_iter()
            .filter_map(|stored| {
                if let Item::Shard(shard) = stored.item {
                    Some((shard, stored.version))
                } else {
                    None
                }
            })
            .collect())
    }

    /// Goes through everything a sweep's shards came to, in order; one piece in memory at a time.
    pub(super) async fn each_result(
        &self,
        sweep: &Sweep,
        mut see: impl FnMut(u8, ObjectResult) + Send,
    ) -> Result<(), Fault> {
        for (shard, _) in self.shards(sweep).await? {
            for piece in 0..shard.results {
                let name = vault::shard_result(sweep.id.right, shard.k, piece);
                let bytes = self.vault.read(sweep.vault, &name).await?;
                let piece: Piece = parse_json(&bytes.ok_or_else(|| gone("result"))?)?;
                for result in piece.results {
                    see(piece.round, result);
                }
            }
        }
        Ok(())
    }

    /// Lists the members that must not be touched any more, by their numbers.
    pub(super) async fn excluded(
        &self,
        sweep: &Sweep,
        members: &Members,
    ) -> Result<BTreeSet<u32>, Fault> {
        let listing = Listing::Exclusions(sweep.id.clone());
        let stored = reading::everything(&*self.ledger, &listing).await?;
        let out: BTreeSet<RequestId> = stored
            .into_iter()
            .filter_map(|stored| {
                if let Item::Exclusion(out) = stored.item {
                    Some(out.request)
                } else {
                    None
                }
            })
            .collect();
        Ok((0..)
            .zip(&members.members)
            .filter(|(_, member)| out.contains(&member.request))
            .map(|(number, _)| number)
            .collect())
    }
}

/// Returns what objects are compared by, for all members at once.
pub(super) fn roster(sweep: &Sweep, members: &Members) -> Roster {
    let known = members.members.iter();
    Roster {
        tag: sweep.members_tag,
        members: known.map(|member| member.identifiers.clone()).collect(),
    }
}

/// A sweep whose papers are gone cannot go on: a person must look.
fn gone(what: &str) -> Fault {
    Fault::reject(format!("vault: a sweep's {what} is gone"))
}
