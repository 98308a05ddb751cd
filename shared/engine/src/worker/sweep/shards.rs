//! Listing a store's objects into shards, page by page, and seeing when a round is over.
//!
//! A forget sweep takes only what is not known to be free of its members: what their find sweeps
//! found, and what is new or changed since. The listing of a later round is the look back.

use quittance_core::data_map::Store;
use quittance_core::fault::Fault;
use quittance_core::message::Message;
use quittance_core::sweep::{
    MAX_ROUNDS, ObjectRef, Purpose, Shard, Sweep, SweepEvent, SweepId, SweepStage,
};

use super::super::{Step, Worker};
use super::papers::{Known, ShardFile};
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
        let k = sweep.shards;
        let from = if k == sweep.first_shard {
            None
        } else {
            self.shard_file(&sweep, k.saturating_sub(1)).await?.next
        };
        let begun = sweep.round_at.is_some();
        if k == sweep.first_shard && !begun {
            // What is listed from here on is at least as new as this instant.
            sweep.round_at = Some(self.clock.now());
            self.replace_sweep(sweep, version).await?;
            return Ok(Step::Again);
        }
        let page = match self.records.objects(store, from.as_ref()).await {
            Ok(page) => page,
            Err(Fault::Block(reason)) => {
                return self.block_all(store, sweep, version, reason).await;
            }
            Err(fault) => return Err(fault),
        };
        let objects = self.not_clean(&sweep, page.objects).await?;
        let file = ShardFile {
            v: 1,
            objects,
            next: page.next,
        };
        let kept = self
            .vault
            .keep(sweep.vault, &vault::shard(k), &to_json(&file)?)
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
        };
        sweep.shards = k.saturating_add(1);
        let last = kept.next.is_none();
        if last {
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
        objects: Vec<ObjectRef>,
    ) -> Result<Vec<ObjectRef>, Fault> {
        if sweep.purpose == Purpose::Find {
            return Ok(objects);
        }
        let members = self.members(sweep).await?;
        let mut finds: Vec<Option<u32>> =
            members.members.iter().map(|member| member.found_by).collect();
        finds.sort_unstable();
        finds.dedup();
        let mut found = Vec::new();
        for n in finds {
            let id = n.map(|n| SweepId {
                n,
                ..sweep.id.clone()
            });
            let known = match id {
                Some(id) => self.known_by(&id).await?,
                None => Known::default(),
            };
            found.push(known);
        }
        let own: Vec<_> = self.results(sweep).await?;
        let own: Vec<_> = own.into_iter().map(|(_, result)| result).collect();
        let own = Known::forgotten(&own);
        let clean = |object: &ObjectRef| {
            own.is_clean(object) || found.iter().all(|known| known.is_clean(object))
        };
        Ok(objects
            .into_iter()
            .filter(|object| !clean(object))
            .collect())
    }

    async fn known_by(&self, id: &SweepId) -> Result<Known, Fault> {
        let Some(Stored {
            item: Item::Sweep(find),
            ..
        }) = self.ledger.load(&Key::Sweep(id.clone())).await?
        else {
            return Ok(Known::default());
        };
        match self.results(&find).await {
            Ok(results) => {
                let results: Vec<_> = results.into_iter().map(|(_, result)| result).collect();
                Ok(Known::searched(&results))
            }
            // Its papers were shredded: everything is read again.
            Err(Fault::Reject { .. }) => Ok(Known::default()),
            Err(fault) => Err(fault),
        }
    }

    /// Sends what is left of the round on its way, or ends the round.
    pub(super) async fn gather(&self, mut sweep: Sweep, version: Version) -> Result<Step, Fault> {
        let shards = self.shards(&sweep).await?;
        let round: Vec<&Shard> = shards
            .iter()
            .filter(|shard| shard.k >= sweep.first_shard)
            .collect();
        let mut left = false;
        for shard in round.iter().filter(|shard| !shard.is_done()) {
            left = true;
            let message = Message::Shard {
                store: sweep.id.store.clone(),
                n: sweep.id.n,
                k: shard.k,
            };
            self.queues.send(self.right(), &message, 0).await?;
        }
        if left {
            return Ok(Step::Rest);
        }
        let matched: u64 = round.iter().map(|shard| shard.matched).sum();
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
        debug_assert!(sweep.stage != SweepStage::Working);
        self.replace_sweep(sweep, version).await?;
        Ok(Step::Again)
    }
}
