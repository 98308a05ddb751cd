//! Which identifiers a store is asked for: those given, and those that earlier waves yielded.
//!
//! They are read from frozen papers and manifests each time, so that every retry asks the same.

use quittance_core::fault::Fault;
use quittance_core::manifest::Part;
use quittance_core::request::Request;
use quittance_core::subject::Identifiers;
use quittance_core::task::Task;

use super::Worker;
use crate::papers::{Papers, parse_json, to_json};
use crate::{reading, vault};

impl Worker {
    /// Reads the request's papers.
    pub(super) async fn papers(&self, request: &Request) -> Result<Papers, Fault> {
        Papers::read(&*self.vault, request.id)
            .await?
            .ok_or_else(|| Fault::reject("vault: the request's papers are gone"))
    }

    /// Returns the identifiers that a store is asked for: those known when it was asked first, so
    /// that effects and look back ask for the same, whatever the data map says by then.
    pub(super) async fn asked(
        &self,
        request: &Request,
        papers: &Papers,
        task: &Task,
    ) -> Result<Identifiers, Fault> {
        let name = vault::asked(task);
        if let Some(bytes) = self.vault.read(request.id, &name).await? {
            return parse_json(&bytes);
        }
        let known = self.identifiers_below(request, papers, task.wave).await?;
        parse_json(
            &self
                .vault
                .keep(request.id, &name, &to_json(&known)?)
                .await?,
        )
    }

    /// Collects the identifiers known below a wave.
    async fn identifiers_below(
        &self,
        request: &Request,
        papers: &Papers,
        wave: u32,
    ) -> Result<Identifiers, Fault> {
        let mut known = self.given(request, papers).await?;
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

    /// Returns what was known before the stores were asked under this data map: what the person
    /// gave, and what was resolved under earlier ones.
    async fn given(&self, request: &Request, papers: &Papers) -> Result<Identifiers, Fault> {
        let generation = request.plan.as_ref().map_or(0, |plan| plan.generation);
        if generation == 0 {
            return Ok(papers.identifiers.clone());
        }
        let name = vault::resolved(generation);
        let bytes = self.vault.read(request.id, &name).await?;
        let bytes = bytes.ok_or_else(|| Fault::reject("vault: resolved identifiers are gone"))?;
        parse_json(&bytes)
    }

    /// Collects everything known about the subject.
    pub(super) async fn all_identifiers(
        &self,
        request: &Request,
        papers: &Papers,
        tasks: &[Task],
    ) -> Result<Identifiers, Fault> {
        let mut known = self.given(request, papers).await?;
        for task in tasks {
            self.add_yields(task, &mut known).await?;
        }
        Ok(known)
    }

    async fn add_yields(&self, task: &Task, known: &mut Identifiers) -> Result<(), Fault> {
        let Some(located) = task.located.as_ref().filter(|located| located.yields) else {
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
        let name = vault::manifest_part(task, round, part);
        let bytes = self
            .vault
            .read(task.request, &name)
            .await?
            .ok_or_else(|| Fault::reject("vault: a part of a manifest is gone"))?;
        parse_json(&bytes)
    }
}
