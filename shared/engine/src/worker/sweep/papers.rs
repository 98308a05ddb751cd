//! A sweep's papers in its own vault: who its members are, what its shards hold and came to.

use std::collections::{BTreeMap, BTreeSet};

use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::RequestId;
use quittance_core::manifest::Cursor;
use quittance_core::subject::Identifiers;
use quittance_core::sweep::{ObjectRef, Shard, Sweep};
use serde::{Deserialize, Serialize};

use super::super::Worker;
use super::gone;
use crate::ledger::{Item, Listing};
use crate::papers::{parse_json, to_json};
use crate::ports::{MemberRows, Roster};
use crate::record::Record;
use crate::{reading, vault};
use quittance_core::digest::Tag;

/// Everybody a sweep serves; never changes.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::worker) struct Members {
    pub(super) v: u8,
    pub(in crate::worker) members: Vec<Member>,
}

/// One of them.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::worker) struct Member {
    pub(in crate::worker) request: RequestId,
    pub(in crate::worker) identifiers: Identifiers,
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
    pub(super) records: Vec<(u32, Record)>,
    pub(super) blocked: Option<BlockReason>,
}

impl std::fmt::Debug for ObjectResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ObjectResult(***)")
    }
}

/// What is known of objects: nobody of a certain sweep is in them while they have this tag.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<(String, Option<String>), (Option<String>, bool)>);

impl Known {
    /// Whether an object was searched as it is now, and held nobody's rows.
    pub(super) fn is_clean(&self, object: &ObjectRef) -> bool {
        let key = (object.key.clone(), object.version.clone());
        self.0
            .get(&key)
            .is_some_and(|(etag, clean)| *clean && etag.as_deref() == Some(&object.etag))
    }

    /// Takes the results of a find sweep: what held anybody's rows is not clean.
    pub(super) fn searched(results: &[ObjectResult]) -> Self {
        Self::of(results, |result| {
            result.matched.is_empty() && result.blocked.is_none()
        })
    }

    /// Takes the results of a forget sweep: what was rewritten is clean, for its own members.
    pub(super) fn forgotten(results: &[ObjectResult]) -> Self {
        Self::of(results, |result| result.blocked.is_none())
    }

    fn of(results: &[ObjectResult], clean: impl Fn(&ObjectResult) -> bool) -> Self {
        let entry = |result: &ObjectResult| {
            let key = (result.object.key.clone(), result.object.version.clone());
            (key, (result.etag.clone(), clean(result)))
        };
        Self(results.iter().map(entry).collect())
    }
}

impl Worker {
    /// Stores a member file in a fresh vault; returns the vault and the file's keyed hash.
    pub(super) async fn deposit_members(
        &self,
        members: Members,
    ) -> Result<(RequestId, Tag), Fault> {
        let mut id = [0; 16];
        id.iter_mut()
            .zip(self.clock.random())
            .for_each(|(to, from)| *to = from);
        let id = RequestId::new(id);
        let bytes = to_json(&members)?;
        let tag = self.keys.subject.tag("dsr-sweep-members/v1", &[&bytes]);
        self.deposit.deposit(id, &bytes).await?;
        // A crash here leaves papers of nothing: the clock shreds them after a day.
        Ok((id, tag))
    }

    pub(in crate::worker) async fn members(&self, sweep: &Sweep) -> Result<Members, Fault> {
        let bytes = self.vault.read(sweep.vault, vault::PAPERS).await?;
        let bytes = bytes.ok_or_else(|| gone("member file"))?;
        if self.keys.subject.tag("dsr-sweep-members/v1", &[&bytes]) != sweep.members_tag {
            return Err(Fault::reject("vault: a sweep's member file was changed"));
        }
        parse_json(&bytes)
    }

    pub(super) async fn roster(&self, sweep: &Sweep) -> Result<(Members, Roster), Fault> {
        let members = self.members(sweep).await?;
        let roster = Roster {
            tag: sweep.members_tag,
            members: members
                .members
                .iter()
                .map(|member| member.identifiers.clone())
                .collect(),
        };
        Ok((members, roster))
    }

    pub(super) async fn shard_file(&self, sweep: &Sweep, k: u32) -> Result<ShardFile, Fault> {
        let bytes = self.vault.read(sweep.vault, &vault::shard(k)).await?;
        parse_json(&bytes.ok_or_else(|| gone("shard"))?)
    }

    /// Reads a sweep's shards from the ledger, in order.
    pub(super) async fn shards(&self, sweep: &Sweep) -> Result<Vec<Shard>, Fault> {
        let listing = Listing::Shards(sweep.id.clone());
        let stored = reading::everything(&*self.ledger, &listing).await?;
        Ok(stored
            .into_iter()
            .filter_map(|stored| match stored.item {
                Item::Shard(shard) => Some(shard),
                _ => None,
            })
            .collect())
    }

    /// Reads everything a sweep's shards came to, with the round of each.
    pub(super) async fn results(&self, sweep: &Sweep) -> Result<Vec<(u8, ObjectResult)>, Fault> {
        let mut all = Vec::new();
        for shard in self.shards(sweep).await? {
            for piece in 0..shard.results {
                let name = vault::shard_result(shard.k, piece);
                let bytes = self.vault.read(sweep.vault, &name).await?;
                let piece: Piece = parse_json(&bytes.ok_or_else(|| gone("result"))?)?;
                let round = piece.round;
                all.extend(piece.results.into_iter().map(|result| (round, result)));
            }
        }
        Ok(all)
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
            .filter_map(|stored| match stored.item {
                Item::Exclusion(out) => Some(out.request),
                _ => None,
            })
            .collect();
        Ok((0..)
            .zip(&members.members)
            .filter(|(_, member)| out.contains(&member.request))
            .map(|(number, _)| number)
            .collect())
    }
}
