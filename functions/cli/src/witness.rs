//! `dsr witness`: an auditor's cosignatures over a log's checkpoints.
//!
//! What may be cosigned is decided in [`quittance_tlog::witness`]. Here is the memory: one file a log, the
//! checkpoint that was cosigned last, written before the cosignature leaves the house, under a lock that
//! other processes respect. Invariant: of two checkpoints cosigned, the later extends the earlier.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use quittance_aws::clock::SystemClock;
use quittance_aws::signer;
use quittance_core::digest::Digest;
use quittance_engine::ports::Clock as _;
use quittance_tlog::note::MAX_NOTE_BYTES;
use quittance_tlog::witness::{AddCheckpoint, Refusal, Seen, decide};
use quittance_tlog::{
    Checkpoint, Ed25519Signer, Note, VerifierKey, consistency_proof, consistency_proof_paths,
};

use crate::args::{WitnessArgs, WitnessCommand};
use crate::offline::{log, parse_policy};
use crate::printing::{Failure, data, talk, verification_failed};
use crate::wait_for;

mod local;

pub(crate) use self::local::LocalWitnesses;

/// A witness and its memory.
#[derive(Debug)]
struct Witness {
    signer: Ed25519Signer,
    logs: Vec<VerifierKey>,
    state: PathBuf,
}

/// Why there is no cosignature.
enum No {
    Refused(Refusal),
    Broken(std::io::Error),
}

/// `dsr witness`.
pub(crate) fn witness(args: WitnessArgs) -> Result<ExitCode, Failure> {
    fs::create_dir_all(&args.state)?;
    let signer = signer::witness(&args.state.join("witness.key"), &args.name, &SystemClock)?;
    let mut witness = Witness {
        signer,
        logs: Vec::new(),
        state: args.state,
    };
    match args.command {
        WitnessCommand::Key => {
            data(&witness.signer.verifier().to_string());
            Ok(ExitCode::SUCCESS)
        }
        WitnessCommand::Cosign { log, policy } => cosign_directory(&witness, &log, &policy),
        WitnessCommand::Serve { policy, listen } => {
            for path in policy {
                let logs = parse_policy(&path)?.log_policy().logs().to_vec();
                witness.logs.extend(logs);
            }
            wait_for(serve(witness, listen))
        }
    }
}

/// Rebuilds a log, proves that it extends what was cosigned, and cosigns it.
fn cosign_directory(witness: &Witness, dir: &Path, policy: &Path) -> Result<ExitCode, Failure> {
    let policy = parse_policy(policy)?;
    log::require(dir)?;
    let rebuilt = log::rebuild(dir, &policy);
    // Whoever asks for cosignatures has too few of them yet.
    let asks =
        |problem: &&quittance_tlog::Problem| problem.kind != quittance_tlog::ProblemKind::Quorum;
    if let Some(problem) = rebuilt.problems.iter().find(asks) {
        talk(&format!("NOT cosigned: the log is not clean: {problem}"));
        return Ok(verification_failed());
    }
    let bytes = fs::read(dir.join("checkpoint"))?;
    let checkpoint = Note::parse(&bytes)?;
    let logs = policy.log_policy().logs();
    let log = logs.iter().find(|key| key.name() == rebuilt.origin);
    let log = log.ok_or_else(|| Failure::failed("the policy has no key of this log"))?;
    let seen = witness.seen(log.name())?;
    // A log that is shorter than what was cosigned is told where the witness stands.
    let old_size = seen.size.min(rebuilt.size);
    let proof = if old_size == 0 {
        Vec::new()
    } else {
        let mut tiles = std::collections::BTreeMap::new();
        for path in consistency_proof_paths(rebuilt.size, old_size)? {
            // Rebuilding found every file in its place.
            tiles.insert(path.clone(), fs::read(dir.join(path))?);
        }
        consistency_proof(rebuilt.size, old_size, &tiles)?
    };
    let request = AddCheckpoint {
        old_size,
        proof,
        checkpoint,
    };
    match witness.cosign(&request, log.name(), logs) {
        Ok(note) => {
            data(note.to_string().trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Err(No::Refused(refusal)) => {
            talk(&format!("NOT cosigned: {refusal}"));
            Ok(verification_failed())
        }
        Err(No::Broken(error)) => Err(error.into()),
    }
}

impl Witness {
    fn place(&self, origin: &str) -> PathBuf {
        self.state
            .join(format!("{}.checkpoint", Digest::of(origin.as_bytes())))
    }

    /// Reads what was cosigned last. A file that is not our own cosigned checkpoint is no memory.
    fn seen(&self, origin: &str) -> std::io::Result<Seen> {
        let bytes = match fs::read(self.place(origin)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Seen::NOTHING),
            Err(error) => return Err(error),
        };
        let damaged =
            || std::io::Error::other("what was cosigned last is damaged: retire this witness");
        let note = Note::parse(&bytes).map_err(|_| damaged())?;
        note.verify(std::slice::from_ref(self.signer.verifier()))
            .map_err(|_| damaged())?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(|_| damaged())?;
        if checkpoint.origin() != origin {
            return Err(damaged());
        }
        Ok(Seen {
            size: checkpoint.size(),
            root: checkpoint.root(),
        })
    }

    /// Decides, remembers, and then gives out the cosigned checkpoint. What was seen is the log's by its
    /// name, whichever of its keys signed.
    fn cosign(
        &self,
        request: &AddCheckpoint,
        origin: &str,
        logs: &[VerifierKey],
    ) -> Result<Note, No> {
        // One decision at a time, whatever process makes it: the lock goes with the file.
        let lock = File::create(self.state.join("lock")).map_err(No::Broken)?;
        lock.lock().map_err(No::Broken)?;
        let seen = self.seen(origin).map_err(No::Broken)?;
        decide(request, logs, seen).map_err(No::Refused)?;
        let now = u64::try_from(SystemClock.now().as_second()).unwrap_or(0);
        let own = Note::unsigned(request.checkpoint.text()).map_err(broken)?;
        let remembered = self.signer.cosign(own, now).map_err(broken)?;
        self.remember(origin, &remembered).map_err(No::Broken)?;
        // From here on the cosignature may be seen by anybody.
        let mut note = request.checkpoint.clone();
        for line in remembered.signatures() {
            note = note.with_line(line.clone());
        }
        Ok(note)
    }

    fn remember(&self, origin: &str, note: &Note) -> std::io::Result<()> {
        let place = self.place(origin);
        let draft = place.with_extension("draft");
        let mut file = File::create(&draft)?;
        file.write_all(note.to_string().as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &place)?;
        File::open(&self.state)?.sync_all()
    }

    /// Answers one `add-checkpoint`: status, body, media type.
    fn answer(&self, body: &[u8]) -> (u16, String, &'static str) {
        let Some(request) = AddCheckpoint::parse(body) else {
            return refuse(Refusal::Malformed);
        };
        let origin = request.checkpoint.text().lines().next().unwrap_or_default();
        match self.cosign(&request, origin, &self.logs) {
            Ok(note) => {
                let own = self.signer.verifier();
                let lines = note.signatures().iter().filter(|line| own.made(line));
                let lines: Vec<String> = lines.map(|line| format!("{line}\n")).collect();
                (200, lines.concat(), TEXT)
            }
            Err(No::Refused(refusal)) => {
                if refusal.is_alarm() {
                    talk(&format!(
                        "ALARM: {origin}: {refusal}; it asked with:\n{request}"
                    ));
                }
                refuse(refusal)
            }
            Err(No::Broken(error)) => {
                talk(&format!("cannot cosign: {error}"));
                (500, String::new(), TEXT)
            }
        }
    }
}

fn broken(error: impl std::error::Error) -> No {
    No::Broken(std::io::Error::other(error.to_string()))
}

fn refuse(refusal: Refusal) -> (u16, String, &'static str) {
    let (body, media_type) = refusal.body();
    (refusal.status(), body, media_type)
}

async fn serve(witness: Witness, listen: std::net::SocketAddr) -> Result<ExitCode, Failure> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    data(&format!("listening on http://{}", listener.local_addr()?));
    data(&witness.signer.verifier().to_string());
    let routes = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Arc::new(witness));
    axum::serve(listener, routes)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    Ok(ExitCode::SUCCESS)
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    match tokio::task::spawn_blocking(move || witness.answer(&body)).await {
        Ok((status, body, media_type)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, [(CONTENT_TYPE, media_type)], body).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
/// A note, and 63 hashes of 45 bytes.
const MAX_BODY_BYTES: usize = MAX_NOTE_BYTES + 4096;
