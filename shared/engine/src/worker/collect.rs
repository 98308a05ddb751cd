//! Collecting for access: each located thing is read once and kept in the vault, part by part.

use futures::future::try_join_all;
use quittance_core::data_map::Store;
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::manifest::Part;
use quittance_core::request::Request;
use quittance_core::task::Task;
use serde::{Deserialize, Serialize};

use super::Worker;
use crate::export::{self, Locale, Missing, Package, StoreExport};
use crate::papers::{parse_json, to_json};
use crate::ports::{Effect, Question};
use crate::record::Record;
use crate::vault;

/// What was read for one part of a manifest, in manifest order; none where it was gone.
#[derive(Debug, Serialize, Deserialize)]
struct Collected {
    v: u8,
    records: Vec<Option<Record>>,
}

/// What the export came to, for the receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Disclosed {
    pub(super) bytes: u64,
    pub(super) manifest: Digest,
}

impl Worker {
    /// Reads everything a part lists. What is kept first is what the person gets.
    pub(super) async fn collect(
        &self,
        question: Question<'_>,
        task: &Task,
        part: &Part,
    ) -> Result<Vec<Effect>, Fault> {
        let mut records = Vec::with_capacity(part.matches.len());
        for some in part.matches.chunks(READS_AT_ONCE) {
            let mut running = Vec::with_capacity(some.len());
            for found in some {
                running.push(self.reader.read(question, &found.locator));
            }
            records.extend(try_join_all(running).await?);
        }
        let bytes = to_json(&Collected { v: 1, records })?;
        let name = vault::collected_part(task, part.part);
        let kept: Collected = parse_json(&self.vault.keep(task.request, &name, &bytes).await?)?;
        let effect = |record: &Option<Record>| match record {
            Some(_) => Effect::Made,
            None => Effect::NotTheirs,
        };
        Ok(kept.records.iter().map(effect).collect())
    }

    /// Keeps rows that a sweep copied for one part of a manifest.
    pub(super) async fn keep_collected(
        &self,
        task: &Task,
        part: u32,
        records: Vec<Record>,
    ) -> Result<(), Fault> {
        let records = records.into_iter().map(Some).collect();
        let bytes = to_json(&Collected { v: 1, records })?;
        let name = vault::collected_part(task, part);
        self.vault.keep(task.request, &name, &bytes).await?;
        Ok(())
    }

    /// Composes the package from what was collected; the same parts make the same bytes.
    pub(super) async fn compose(
        &self,
        request: &Request,
        tasks: &[Task],
        state: &Digest,
    ) -> Result<Disclosed, Fault> {
        let mut stores = Vec::new();
        for task in tasks {
            // What was collected is handed out, whatever became of its store's entry.
            let store = self.map.store(&task.store);
            let mut records = Vec::new();
            for part in 0..task.located.as_ref().map_or(0, |located| located.parts) {
                let name = vault::collected_part(task, part);
                if let Some(bytes) = self.vault.read(request.id, &name).await? {
                    let collected: Collected = parse_json(&bytes)?;
                    records.extend(collected.records.into_iter().flatten());
                }
            }
            stores.push(StoreExport {
                public_name: store
                    .map_or(GONE, |store| store.public_name.as_str())
                    .to_owned(),
                missing: missing(task, store, records.is_empty()),
                about: store.map(|store| store.about.clone()).unwrap_or_default(),
                residency: store.and_then(|store| store.residency.clone()),
                records,
            });
        }
        let reference = request.id.reference();
        let package = Package {
            reference: &reference,
            controller: &self.map.controller,
            generated_on: request.accepted_at.unwrap_or(request.submitted_at),
            locale: Locale::En,
            stores,
        };
        let composed = export::compose(&package)?;
        let zip = self
            .vault
            .keep(request.id, &vault::export(state), &composed.zip)
            .await?;
        Ok(Disclosed {
            bytes: u64::try_from(zip.len()).unwrap_or(u64::MAX),
            manifest: composed.manifest_sha256,
        })
    }
}

/// What is not in the package, and why.
fn missing(task: &Task, store: Option<&Store>, nothing_found: bool) -> Vec<Missing> {
    let mut missing = Vec::new();
    if task.outcome.attested.is_some() {
        missing.push(Missing::Attested);
    } else if !task.stage.is_settled() {
        missing.push(Missing::Unreadable);
    } else if nothing_found {
        missing.push(Missing::NothingFound);
    }
    if let Some(store) = store.filter(|store| !store.access.exclude.is_empty()) {
        let fields = store
            .access
            .exclude
            .iter()
            .map(ToString::to_string)
            .collect();
        missing.push(Missing::Excluded { fields });
    }
    missing
}

const READS_AT_ONCE: usize = 8;
/// What a store is called that left the data map: its id must stay inside.
const GONE: &str = "A store no longer declared";
