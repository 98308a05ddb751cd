//! Two witnesses inside a `dsr local`, with memories of their own on disk: what an auditor's would do.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use quittance_aws::clock::SystemClock;
use quittance_aws::signer;
use quittance_core::fault::Fault;
use quittance_engine::ports::Witnesses;
use quittance_tlog::VerifierKey;

use super::Witness;
use crate::printing::Failure;

/// The witnesses of one `dsr local`.
#[derive(Clone, Debug)]
pub(crate) struct LocalWitnesses {
    each: Vec<Arc<Witness>>,
    vkeys: Vec<String>,
}

impl LocalWitnesses {
    /// Opens both in a directory; what is missing is made.
    pub(crate) fn open(dir: &Path, log_vkey: &str) -> Result<Self, Failure> {
        let log = VerifierKey::parse(log_vkey)?;
        let mut each = Vec::new();
        for name in NAMES {
            let state = dir.join(name);
            std::fs::create_dir_all(&state)?;
            each.push(Arc::new(Witness {
                signer: signer::witness(&state.join("witness.key"), name, &SystemClock)?,
                logs: vec![log.clone()],
                state,
            }));
        }
        let vkeys = each
            .iter()
            .map(|witness| witness.signer.verifier().to_string());
        Ok(Self {
            vkeys: vkeys.collect(),
            each,
        })
    }
}

#[async_trait]
impl Witnesses for LocalWitnesses {
    fn vkeys(&self) -> &[String] {
        &self.vkeys
    }

    async fn ask(&self, n: usize, body: &str) -> Result<(u16, String), Fault> {
        let Some(witness) = self.each.get(n).map(Arc::clone) else {
            return Err(Fault::reject("there are two witnesses"));
        };
        let body = body.to_owned();
        let answered = tokio::task::spawn_blocking(move || witness.answer(body.as_bytes())).await;
        let (status, body, _) = answered.map_err(|_| Fault::retry("the witness is away"))?;
        Ok((status, body))
    }
}

const NAMES: [&str; 2] = ["witness-one.test", "witness-two.test"];
