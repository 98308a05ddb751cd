//! `dsr witness`: an auditor's cosignatures over a log's checkpoints.
//!
//! What a witness does is [`quittance_engine::witness`]'s. Here is a memory of files: one a log, the
//! checkpoint that was cosigned last, under a lock that other processes respect.

use std::fs;
use std::path::Path;
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
use quittance_aws::signer::FileCosigner;
use quittance_engine::witness::{MAX_BODY_BYTES, Witness};
use quittance_tlog::witness::AddCheckpoint;
use quittance_tlog::{Note, consistency_proof, consistency_proof_paths};

use crate::args::{WitnessArgs, WitnessCommand};
use crate::offline::{log, parse_policy};
use crate::printing::{Failure, data, talk, verification_failed};
use crate::wait_for;

mod files;
mod local;

use self::files::WitnessFiles;
pub(crate) use self::local::LocalWitnesses;

/// `dsr witness`.
pub(crate) fn witness(args: WitnessArgs) -> Result<ExitCode, Failure> {
    let mut witness = open(&args.state, &args.name)?;
    match args.command {
        WitnessCommand::Key => {
            data(witness.cosigner.vkey());
            Ok(ExitCode::SUCCESS)
        }
        WitnessCommand::Cosign { log, policy } => {
            wait_for(cosign_directory(witness, &log, &policy))
        }
        WitnessCommand::Serve { policy, listen } => {
            for path in policy {
                let logs = parse_policy(&path)?.log_policy().logs().to_vec();
                witness.logs.extend(logs);
            }
            wait_for(serve(witness, listen))
        }
    }
}

/// Opens the witness of a directory, which knows no log yet; what is missing is made.
fn open(state: &Path, name: &str) -> Result<Witness, Failure> {
    fs::create_dir_all(state)?;
    let cosigner = FileCosigner::open(&state.join("witness.key"), name, &SystemClock)?;
    Ok(Witness {
        cosigner: Arc::new(cosigner),
        memory: Arc::new(WitnessFiles::new(state)),
        logs: Vec::new(),
        clock: Arc::new(SystemClock),
    })
}

/// Rebuilds a log, proves that it extends what was cosigned, and cosigns it.
async fn cosign_directory(
    mut witness: Witness,
    dir: &Path,
    policy: &Path,
) -> Result<ExitCode, Failure> {
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
    witness.logs = policy.log_policy().logs().to_vec();
    let seen = witness.seen(&rebuilt.origin).await?;
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
    match witness.cosign(&request).await? {
        Ok(note) => {
            data(note.to_string().trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            talk(&format!("NOT cosigned: {refusal}"));
            Ok(verification_failed())
        }
    }
}

async fn serve(witness: Witness, listen: std::net::SocketAddr) -> Result<ExitCode, Failure> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    data(&format!("listening on http://{}", listener.local_addr()?));
    data(witness.cosigner.vkey());
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
    match witness.answer(&body).await {
        Ok(answer) => {
            if answer.alarm {
                let request = String::from_utf8_lossy(&body);
                talk(&format!(
                    "ALARM: the log shows two histories: {}; it asked with:\n{request}",
                    answer.body.trim_end()
                ));
            }
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, [(CONTENT_TYPE, answer.media_type)], answer.body).into_response()
        }
        Err(fault) => {
            talk(&format!("cannot cosign: {fault}"));
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
