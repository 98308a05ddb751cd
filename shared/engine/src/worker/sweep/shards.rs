//! Listing a store's objects into shards, page by page, and seeing when a round is over.
//!
//! A forget sweep takes only what is not known to be free of its members: what their find sweeps
//! found, and what is new or changed since. The listing of a later round is the look back.

use std::collections::BTreeSet;

use quittance_core::data_map::Store;
use quittance_core::fault::Fault;
use quittance_core::message::Message;
use quittance_core::sweep::{
    Cut, MAX_ROUNDS, ObjectRef, Purpose, Shard, Sweep, SweepEvent, SweepId,
};

use super::super::{Step, Worker};
use super::papers::{Known, Name, ObjectResult, ShardFile, name_of};
use super::stage_after;
use crate::ledger::{Item, Key, Stored, Version, Write};
use crate::papers::{parse_json, to_json};
use crate::vault;

impl Worker {
    /// Lists the next page into a shard, first write wins.
    pub(super) async fn list_into_shard(
        &self,
        store: &Store,
        mut sweep: Sweep,
        version: Version,
    ) -> Result<Step, Fault> {
        if sweep.round_at.is_none() {
            // What is listed from here on is at least as new as this instant.
            sweep.round_at = Some(self.clock.now());
            self.replace_sweep(sweep, version).await?;
            return Ok(Step::Again);
        }
        let k = sweep.shards;
        let from = if k == sweep.first_shard {
            None
        } else {
            self.shard_file(&sweep, k.saturating_sub(1)).await?.next
        };
        let page = match self.records.objects(store, from.as_ref()).await {
            Err(Fault::Block(reason)) => {
                return self.cut_short(sweep, version, Cut::Blocked(reason)).await;
            }
            page => page?,
        };
        let objects = match sweep.purpose {
            Purpose::Find => page.objects,
            Purpose::Forget => self.not_clean(&sweep, page.objects).await?,
        };
        let file = ShardFile {
            v: 1,
            objects,
            next: page.next,
        };
        let name = vault::shard(k);
        let kept = self
            .vault
            .keep(sweep.vault, &name, &to_json(&file)?)
            .await?;
        let kept: ShardFile = parse_json(&kept)?;
        let shard = Shard {
            sweep: sweep.id.clone(),
            k,
            objects: u32::try_from(kept.objects.len()).unwrap_or(u32::MAX),
            cursor: 0,
            results: 0,
            matched: 0,
            attempts: 0,
            announced_at: None,
        };
        sweep.shards = k.saturating_add(1);
        if kept.next.is_none() {
            sweep.stage = stage_after(&sweep, SweepEvent::Sharded)?;
        }
        self.ledger
            .commit(&[
                Write::Replace(Item::Sweep(sweep), version),
                Write::Create(Item::Shard(shard)),
            ])
            .await?;
        Ok(Step::Again)
    }

    /// Leaves out what is known to be free of the sweep's members.
    async fn not_clean(
        &self,
        sweep: &Sweep,
        mut objects: Vec<ObjectRef>,
    ) -> Result<Vec<ObjectRef>, Fault> {
        let names: BTreeSet<Name> = objects.iter().map(name_of).collect();
        let mut own = Known::default();
        self.each_result(sweep, |_, result| {
            if names.contains(&name_of(&result.object)) {
                // What was rewritten is clean, for its own members.
                own.see(&result, was_read(&result));
            }
        })
        .await?;
        let members = self.members(sweep).await?;
        let finds: BTreeSet<Option<u32>> = members.members.iter().map(|one| one.found_by).collect();
        let mut found = Vec::new();
        for n in finds {
            found.push(self.known_by(sweep, n, &names, is_nobodys).await?);
        }
        objects.retain(|object| {
            !own.is_clean(object) && !found.iter().all(|known| known.is_clean(object))
        });
        Ok(objects)
    }

    /// Reads with which entity tags a find sweep saw some objects, and found `clean`. Without its
    /// papers, or when the store was described otherwise then, nothing is known, and everything is
    /// read again.
    pub(super) async fn known_by(
        &self,
        sweep: &Sweep,
        n: Option<u32>,
        names: &BTreeSet<Name>,
        clean: fn(&ObjectResult) -> bool,
    ) -> Result<Known, Fault> {
        let mut known = Known::default();
        let Some(n) = n else { return Ok(known) };
        let id = SweepId {
            n,
            ..sweep.id.clone()
        };
        let Some(Stored {
            item: Item::Sweep(find),
            ..
        }) = self.ledger.load(&Key::Sweep(id)).await?
        else {
            return Ok(known);
        };
        if find.described != sweep.described
            || self.vault.read(find.vault, vault::PAPERS).await?.is_none()
        {
            return Ok(known);
        }
        self.each_result(&find, |_, result| {
            if names.contains(&name_of(&result.object)) {
                known.see(&result, clean(&result));
            }
        })
        .await?;
        Ok(known)
    }

    /// Sends what is left of the round on its way, or ends the round.
    pub(super) async fn gather(&self, mut sweep: Sweep, version: Version) -> Result<Step, Fault> {
        let mut shards = self.shards(&sweep).await?;
        shards.retain(|(shard, _)| shard.k >= sweep.first_shard);
        let mut left = false;
        for (shard, shard_version) in &shards {
            if !shard.is_done() {
                left = true;
                self.announce_shard(shard, *shard_version).await?;
            }
        }
        if left {
            return Ok(Step::Rest);
        }
        let matched: u64 = shards.iter().map(|(shard, _)| shard.matched).sum();
        let over = match sweep.purpose {
            Purpose::Find => true,
            // The first round acts; a round that finds nothing is the look back, and so is the one
            // after the last that acts.
            Purpose::Forget => sweep.round > 1 && (matched == 0 || sweep.round > MAX_ROUNDS),
        };
        if over {
            sweep.stage = stage_after(&sweep, SweepEvent::Worked)?;
        } else {
            sweep.stage = stage_after(&sweep, SweepEvent::AnotherRound)?;
            sweep.round = sweep.round.saturating_add(1);
            sweep.first_shard = sweep.shards;
            sweep.round_at = None;
        }
        self.replace_sweep(sweep, version).await?;
        Ok(Step::Again)
    }

    /// Announces a shard, unless somebody was told, or worked on it, a moment ago.
    async fn announce_shard(&self, shard: &Shard, version: Version) -> Result<(), Fault> {
        let now = self.clock.now();
        let told = shard
            .announced_at
            .and_then(|at| at.saturating_add(self.longest_run).ok());
        if told.is_some_and(|again| again > now) {
            return Ok(());
        }
        let message = Message::Shard {
            store: shard.sweep.store.clone(),
            n: shard.sweep.n,
            k: shard.k,
        };
        self.queues.send(self.right(), &message, 0).await?;
        // Whoever was told before came to nothing, or died of it.
        let tried = u8::from(shard.announced_at.is_some());
        let told = Shard {
            announced_at: Some(now),
            attempts: shard.attempts.saturating_add(tried),
            ..shard.clone()
        };
        match self
            .ledger
            .commit(&[Write::Replace(Item::Shard(told), version)])
            .await
        {
            // Somebody works on it already.
            Err(Fault::Conflict) => Ok(()),
            done => done,
        }
    }
}

/// Whether an object was worked on to its end.
pub(super) const fn was_read(result: &ObjectResult) -> bool {
    result.blocked.is_none()
}

/// Whether an object was read, and held no member's rows.
const fn is_nobodys(result: &ObjectResult) -> bool {
    was_read(result) && result.matched.is_empty()
}
