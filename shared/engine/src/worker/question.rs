//! Which identifiers a store is asked for: those given, and those that earlier waves yielded.
//!
//! They are read from frozen papers and manifests each time, so that every retry asks the same.

use quittance_core::fault::Fault;
use quittance_core::manifest::Part;
use quittance_core::request::Request;
use quittance_core::subject::Identifiers;
use quittance_core::task::Task;

use super::Worker;
use crate::papers::{Papers, parse_json};
use crate::{reading, vault};

impl Worker {
    /// Reads the request's papers.
    pub(super) async fn papers(&self, request: &Request) -> Result<Papers, Fault> {
        Papers::read(&*self.vault, request.id)
            .await?
            .ok_or_else(|| Fault::reject("vault: the request's papers are gone"))
    }

    /// Collects the identifiers known below a wave.
    pub(super) async fn identifiers_below(
        &self,
        request: &Request,
        papers: &Papers,
        wave: u32,
    ) -> Result<Identifiers, Fault> {
        let mut known = papers.identifiers.clone();
        if wave == 0 {
            return Ok(known);
        }
        for (task, _) in reading::tasks(&*self.ledger, request.id).await? {
            if task.wave < wave {
                self.add_yields(&task, &mut known).await?;
            }
        }
        Ok(known)
    }

    /// Collects everything known about the subject.
    pub(super) async fn all_identifiers(
        &self,
        papers: &Papers,
        tasks: &[Task],
    ) -> Result<Identifiers, Fault> {
        let mut known = papers.identifiers.clone();
        for task in tasks {
            self.add_yields(task, &mut known).await?;
        }
        Ok(known)
    }

    async fn add_yields(&self, task: &Task, known: &mut Identifiers) -> Result<(), Fault> {
        let yields = self
            .map
            .store(&task.store)
            .is_some_and(|store| !store.yields.is_empty());
        let Some(located) = task.located.as_ref().filter(|_| yields) else {
            return Ok(());
        };
        for part in 0..located.parts {
            for found in self.manifest_part(task, 1, part).await?.matches {
                known.union(&found.yields);
            }
        }
        Ok(())
    }

    /// Reads one part of a manifest that is known to stand.
    pub(super) async fn manifest_part(
        &self,
        task: &Task,
        round: u8,
        part: u32,
    ) -> Result<Part, Fault> {
        let name = vault::manifest_part(&task.store, round, part);
        let bytes = self
            .vault
            .read(task.request, &name)
            .await?
            .ok_or_else(|| Fault::reject("vault: a part of a manifest is gone"))?;
        parse_json(&bytes)
    }
}
