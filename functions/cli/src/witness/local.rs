//! Two witnesses inside a `dsr local`, with memories of their own on disk: what an auditor's would do.

use std::path::Path;

use async_trait::async_trait;
use quittance_core::fault::Fault;
use quittance_engine::ports::Witnesses;
use quittance_engine::witness::Witness;
use quittance_tlog::VerifierKey;

use crate::printing::Failure;

/// The witnesses of one `dsr local`.
#[derive(Clone, Debug)]
pub(crate) struct LocalWitnesses {
    each: Vec<Witness>,
    vkeys: Vec<String>,
}

impl LocalWitnesses {
    /// Opens both in a directory; what is missing is made.
    pub(crate) fn open(dir: &Path, log_vkey: &str) -> Result<Self, Failure> {
        let log = VerifierKey::parse(log_vkey)?;
        let mut each = Vec::new();
        for name in NAMES {
            each.push(Witness {
                logs: vec![log.clone()],
                ..super::open(&dir.join(name), name)?
            });
        }
        let vkeys = each
            .iter()
            .map(|witness| witness.cosigner.vkey().to_owned());
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
        let Some(witness) = self.each.get(n) else {
            return Err(Fault::reject("there are two witnesses"));
        };
        let answer = witness.answer(body.as_bytes()).await?;
        Ok((answer.status, answer.body))
    }
}

const NAMES: [&str; 2] = ["witness-one.test", "witness-two.test"];
