//! Locating: what matches in one store is written down, part by part, before anything is touched.

use quittance_core::data_map::Store;
use quittance_core::digest::HmacKey;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::Part;
use quittance_core::plan;
use quittance_core::request::Request;
use quittance_core::subject::Identifiers;
use quittance_core::task::{Located, Task, TaskEvent};

use super::{Step, Worker};
use crate::ledger::Version;
use crate::papers::{parse_json, to_json};
use crate::ports::Question;
use crate::vault;

impl Worker {
    /// Locates the next part of a store, or closes its manifest.
    pub(super) async fn locate(
        &self,
        request: &Request,
        mut task: Task,
        version: Version,
    ) -> Result<Step, Fault> {
        let map = self.map.clone();
        let store = map
            .store(&task.store)
            .ok_or(Fault::Block(BlockReason::StoreGone))?;
        if plan::is_swept(store, self.right()) {
            return self.await_sweep(request, task, version).await;
        }
        let papers = self.papers(request).await?;
        if !plan::is_attested(store) {
            let known = self.asked(request, &papers, &task).await?;
            let part = self.next_part(store, &known, &task).await?;
            let name = vault::manifest_part(&task, 1, part.part);
            // First write wins: what stands in the vault is what counts from here on.
            let bytes = self
                .vault
                .keep(task.request, &name, &to_json(&part)?)
                .await?;
            let kept: Part = parse_json(&bytes)?;
            task.cursor += 1;
            if kept.next.is_some() {
                // A search of many parts commits each, so that a crash costs one part.
                task.attempts = 0;
                self.replace_task(task, version).await?;
                return Ok(Step::Again);
            }
        }
        let located = self.outline(&task, &papers.evidence_key).await?;
        // Under an earlier data map something may have been done already.
        task.outcome.matched += located.matched;
        task.located = Some(located);
        task.stage = task
            .stage
            .after(TaskEvent::Located)
            .map_err(|illegal| Fault::reject(illegal.to_string()))?;
        task.cursor = 0;
        task.attempts = 0;
        self.replace_task(task, version).await?;
        Ok(Step::Again)
    }

    /// Asks the store for the part after the committed ones.
    async fn next_part(
        &self,
        store: &Store,
        known: &Identifiers,
        task: &Task,
    ) -> Result<Part, Fault> {
        let mut as_of = self.clock.now();
        let mut from = None;
        if let Some(last) = task.cursor.checked_sub(1) {
            let last = self.manifest_part(task, 1, last).await?;
            // One snapshot instant for the whole manifest: the first part's.
            as_of = last.as_of;
            from = last.next;
        }
        let question = Question {
            store,
            identifiers: known,
            right: self.right(),
        };
        let found = self.reader.locate(question, from.as_ref()).await?;
        Ok(Part {
            v: 1,
            store: task.store.clone(),
            round: 1,
            part: task.cursor,
            as_of,
            matches: found.matches,
            next: found.next,
        })
    }

    /// Sums up the manifest that stands in the vault.
    pub(super) async fn outline(&self, task: &Task, key: &HmacKey) -> Result<Located, Fault> {
        let mut matched = 0;
        let mut yields = false;
        let mut as_of = self.clock.now();
        let mut parts = Vec::new();
        for part in 0..task.cursor {
            let part = self.manifest_part(task, 1, part).await?;
            matched += part.matches.iter().map(|found| found.rows).sum::<u64>();
            as_of = part.as_of;
            yields |= part.matches.iter().any(|found| !found.yields.is_empty());
            parts.push(to_json(&part)?);
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let manifest = key.tag("dsr-manifest/v1", &parts);
        Ok(Located {
            as_of,
            parts: task.cursor,
            matched,
            manifest,
            yields,
            sweep: None,
        })
    }
}
