//! `dsr`: the offline verifier, support tooling, and the whole system in one process.
//!
//! stdout is data, stderr is talk. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not
//! allowed, 5 conflict, 6 verification failed, 7 partial, 75 try again later.

mod args;
mod batch;
mod company;
mod demo;
mod drift;
mod evidence;
mod heap;
mod hold;
mod identity;
mod infra;
mod law;
mod offline;
mod policy;
mod printing;
mod rewrite;
mod scan;
mod shop;
mod support;
mod sweep;
mod witness;

use std::process::ExitCode;

use clap::Parser as _;

use self::args::{Args, Command, DataMapCommand};
use self::printing::Failure;

/// Runs the command line.
pub fn run() -> ExitCode {
    let args = Args::parse();
    let done = dispatch(args.command);
    let failure = match (done, printing::lost()) {
        (Ok(code), None) => return code,
        (Ok(_), Some(failure)) | (Err(failure), _) => failure,
    };
    printing::talk(&format!("dsr: {failure}"));
    failure.code()
}

fn dispatch(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Verify(args) => offline::verify(&args),
        Command::Open(args) => offline::open(&args),
        Command::Fsck(args) => offline::fsck(&args),
        Command::Audit(args) => offline::audit(&args),
        Command::Bundle(args) => offline::bundle(&args),
        Command::Witness(args) => witness::witness(args),
        Command::Evidence(args) => evidence::evidence(args),
        Command::DataMap(args) => match args.command {
            DataMapCommand::Check { file, json } => offline::check(&file, json),
            DataMapCommand::Drift { file, ours, at } => wait_for(drift::drift(&file, ours, &at)),
        },
        Command::Infra(args) => infra::infra(&args),
        Command::Regime(args) => law::regime(&args),
        Command::Rewrite(args) => rewrite::rewrite(&args),
        Command::Demo(args) => wait_for(demo::run(args)),
        Command::Local(args) => wait_for(company::serve(args)),
        Command::Policy(args) => wait_for(policy::policy(args)),
        Command::Request(args) => wait_for(support::request(args)),
        Command::Scan(args) => wait_for(scan::scan(args)),
        Command::Batch(args) => wait_for(batch::batch(args)),
        Command::Task(args) => wait_for(support::task(args)),
        Command::Hold(args) => wait_for(hold::hold(args)),
        Command::Sweep(args) => wait_for(sweep::sweep(args)),
    }
}

/// Runs what talks to a deployment.
fn wait_for(work: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?
        .block_on(work)
}
