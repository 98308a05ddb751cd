//! The evidence of a task: the leaves that stand for what it touched, as they lie in the vault.
//!
//! What a leaf is, and how one is opened, is `quittance_core::receipt::opening`'s. Invariant: the order in
//! which leaves are read is the order in which the receipt's root has them.

use quittance_core::digest::Tag;
use quittance_core::fault::Fault;
use quittance_core::task::Task;
use serde::{Deserialize, Serialize};

use crate::papers::parse_json;
use crate::ports::Vault;
use crate::vault;

/// The evidence of one part: what was touched, in manifest order, by keyed name.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Touched {
    pub(crate) v: u8,
    pub(crate) leaves: Vec<Tag>,
}

/// Reads the evidence of all rounds, in order, under every data map so far, and of all sweeps.
pub(crate) async fn leaves(vault: &dyn Vault, task: &Task) -> Result<Vec<Tag>, Fault> {
    let mut leaves = Vec::new();
    for generation in 0..=task.generation {
        leaves.extend(leaves_under(vault, task, generation).await?);
    }
    for n in &task.swept {
        let name = vault::sweep_evidence(&task.store, *n);
        if let Some(bytes) = vault.read(task.request, &name).await? {
            let touched: Touched = parse_json(&bytes)?;
            leaves.extend(touched.leaves);
        }
    }
    Ok(leaves)
}

/// Reads what was kept under one data map. Rounds and parts have no gaps.
pub(crate) async fn leaves_under(
    vault: &dyn Vault,
    task: &Task,
    generation: u32,
) -> Result<Vec<Tag>, Fault> {
    let mut leaves = Vec::new();
    for round in 1.. {
        for part in 0.. {
            let name = vault::evidence_part(task, generation, round, part);
            match vault.read(task.request, &name).await? {
                Some(bytes) => {
                    let touched: Touched = parse_json(&bytes)?;
                    leaves.extend(touched.leaves);
                }
                None if part == 0 => return Ok(leaves),
                None => break,
            }
        }
    }
    Ok(leaves)
}
