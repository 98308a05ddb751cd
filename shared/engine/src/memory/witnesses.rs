//! Witnesses in memory, as strict as those of others: they remember, and cosign what extends.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use quittance_core::fault::Fault;
use quittance_tlog::policy::Policy;
use quittance_tlog::witness::{AddCheckpoint, Seen, decide};
use quittance_tlog::{Ed25519Signer, KeyKind, NoteError, VerifierKey};

use super::faults::Faults;
use super::locked;
use crate::ports::Witnesses;

/// Some witnesses of one log.
#[derive(Clone, Debug)]
pub struct MemoryWitnesses {
    logs: Vec<VerifierKey>,
    vkeys: Vec<String>,
    policy: Option<Policy>,
    each: Arc<Vec<(Ed25519Signer, Mutex<State>)>>,
    faults: Faults,
}

#[derive(Clone, Copy, Debug)]
struct State {
    seen: Seen,
    time: u64,
    away: bool,
}

impl MemoryWitnesses {
    /// Makes so many witnesses of a log.
    ///
    /// # Errors
    /// Never: the names are good ones.
    pub fn new(count: u8, log: VerifierKey, faults: Faults) -> Result<Self, NoteError> {
        let make = |n: u8| {
            let name = format!("witness{n}.test");
            let signer = Ed25519Signer::from_seed(&name, KeyKind::CosignatureV1, &[n; 32])?;
            let state = State {
                seen: Seen::NOTHING,
                time: 1_800_000_000,
                away: false,
            };
            Ok((signer, Mutex::new(state)))
        };
        let each: Vec<_> = (1..=count).map(make).collect::<Result<_, NoteError>>()?;
        Ok(Self {
            logs: vec![log],
            vkeys: each
                .iter()
                .map(|(signer, _)| signer.verifier().to_string())
                .collect(),
            policy: None,
            each: Arc::new(each),
            faults,
        })
    }

    /// Says which of them are enough.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self {
            policy: Some(policy),
            ..self
        }
    }

    /// Tells them that the log has another key, beside those it had.
    #[must_use]
    pub fn trusting(mut self, log: VerifierKey) -> Self {
        self.logs.push(log);
        self
    }

    /// Lets a witness be away, or come back.
    pub fn set_away(&self, n: usize, away: bool) {
        if let Some((_, state)) = self.each.get(n) {
            locked(state).away = away;
        }
    }

    /// Makes a witness remember another tree, as if the log had shown it one.
    pub fn show(&self, n: usize, seen: Seen) {
        if let Some((_, state)) = self.each.get(n) {
            locked(state).seen = seen;
        }
    }

    fn answer(&self, n: usize, body: &str) -> Result<(u16, String), Fault> {
        let Some((signer, state)) = self.each.get(n) else {
            return Ok((404, String::new()));
        };
        let mut state = locked(state);
        if state.away {
            return Err(Fault::retry("the witness is away"));
        }
        let Some(request) = AddCheckpoint::parse(body.as_bytes()) else {
            return Ok((400, String::new()));
        };
        let checkpoint = match decide(&request, &self.logs, state.seen) {
            Ok(checkpoint) => checkpoint,
            Err(refusal) => return Ok((refusal.status(), refusal.body().0)),
        };
        state.seen = Seen {
            size: checkpoint.size(),
            root: checkpoint.root(),
        };
        state.time += 1;
        let cosigned = signer.cosign(request.checkpoint, state.time);
        let cosigned = cosigned.map_err(|error| Fault::reject(error.to_string()))?;
        let own = |line: &&quittance_tlog::SignatureLine| signer.verifier().made(line);
        let lines = cosigned.signatures().iter().filter(own);
        let lines: Vec<String> = lines.map(|line| format!("{line}\n")).collect();
        Ok((200, lines.concat()))
    }
}

#[async_trait]
impl Witnesses for MemoryWitnesses {
    fn vkeys(&self) -> &[String] {
        &self.vkeys
    }

    fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    async fn ask(&self, n: usize, body: &str) -> Result<(u16, String), Fault> {
        self.faults
            .call("witnesses.ask", || self.answer(n, body))
            .await
    }
}
