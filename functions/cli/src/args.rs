//! The command line.

mod support;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use quittance_core::receipt::Day;

pub(crate) use self::support::{
    BatchArgs, BatchCommand, Held, HoldArgs, HoldCommand, RequestArgs, RequestCommand, ScanArgs,
    SubmitArgs, SweepArgs, SweepCommand, TaskArgs, TaskCommand, Where,
};
use crate::infra::InfraArgs;
use crate::rewrite::RewriteArgs;

/// Data-subject requests, with receipts that verify themselves.
#[derive(Debug, Parser)]
#[command(name = "dsr", version, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole system at work on a music shop's data, in one process
    Demo(DemoArgs),
    /// Run the whole system in one process, on embedded backends (development and tests)
    Local(LocalArgs),
    /// Verify a receipt, offline
    Verify(VerifyArgs),
    /// Find out whether a receipt is about you, offline; reads key and identifier, a line each
    Open(OpenArgs),
    /// Rebuild a log from its entries and compare every file, offline
    Fsck(FsckArgs),
    /// Audit a log's daily manifests: is every request accounted for, and was it answered in time?
    Audit(AuditArgs),
    /// Write a receipt as a Sigstore bundle, for the verifiers of that world
    Bundle(BundleArgs),
    /// Pack what an auditor is handed over, or check such a bag
    Evidence(EvidenceArgs),
    /// Cosign a log's checkpoints, for an auditor: only what extends what was cosigned before
    Witness(WitnessArgs),
    /// Check a data map
    DataMap(DataMapArgs),
    /// Write what a deployment on AWS needs beside its template
    Infra(InfraArgs),
    /// Take the rows of some people out of a local file
    Rewrite(RewriteArgs),
    /// Print the policy by which a deployment's receipts are verified
    Policy(PolicyArgs),
    /// Show the laws that due dates are counted by, offline
    Regime(RegimeArgs),
    /// Work on requests: list, show, deny, hold, extend, pause
    Request(RequestArgs),
    /// Count what a request would find, and about what it would cost; changes nothing
    Scan(ScanArgs),
    /// Hand in a list of people as one request, and see how each ended
    Batch(BatchArgs),
    /// Work on a request's tasks: list, release, attest
    Task(TaskArgs),
    /// Forbid to delete anything in a store, or of whoever has an identifier; list and lift such holds
    Hold(HoldArgs),
    /// Look at the sweeps over record stores; stop them and let them go on
    Sweep(SweepArgs),
}

#[derive(ClapArgs, Debug)]
pub(crate) struct DemoArgs {
    /// Leave receipts, policy, keys and log in this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct LocalArgs {
    /// Keep state in this directory, so that it survives a restart
    #[arg(long, value_name = "DIR", default_value = ".quittance")]
    pub(crate) dir: PathBuf,
    /// Port of the request API (the AWS endpoint takes the next one); 0 takes free ones
    #[arg(long, default_value_t = 8017, value_parser = clap::value_parser!(u16).range(..65_535))]
    pub(crate) port: u16,
    /// Forget the directory's state first
    #[arg(long)]
    pub(crate) reset: bool,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct VerifyArgs {
    /// The receipt file
    pub(crate) file: PathBuf,
    /// The policy: whose log and whose signature you trust
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "trust_embedded_keys"
    )]
    pub(crate) policy: Option<PathBuf>,
    /// Use the keys inside the file: shows that it agrees with itself, and nobody vouches for it
    #[arg(long, conflicts_with = "policy")]
    pub(crate) trust_embedded_keys: bool,
    /// A time stamp on its signature, the .receipt.tsr beside it (RFC 3161)
    #[arg(long, value_name = "FILE", requires = "anchors")]
    pub(crate) timestamp: Option<PathBuf>,
    /// The certificates of time-stamping authorities that you trust, in PEM
    #[arg(long, value_name = "FILE", requires = "timestamp")]
    pub(crate) anchors: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct OpenArgs {
    /// The receipt file
    pub(crate) file: PathBuf,
    /// The policy: whose log and whose signature you trust
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    /// What kind of identifier it is, as the controller's data map calls it
    #[arg(long, default_value = "email")]
    pub(crate) scheme: String,
    /// How the data map spells it: exact, email, phone, lower or digits; without it, as the scheme is called
    #[arg(long, value_name = "WAY")]
    pub(crate) normalise: Option<String>,
    /// The country of telephone numbers without one
    #[arg(long, value_name = "COUNTRY")]
    pub(crate) region: Option<String>,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct FsckArgs {
    /// The log's directory (checkpoint, checkpoints/ and tile/), or its address (`https://example.com/log`)
    #[arg(value_name = "LOG")]
    pub(crate) log: PathBuf,
    /// The policy: whose log you trust, and how many witnesses must have cosigned it
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct AuditArgs {
    /// The log's directory: checkpoint, tile/ and manifests/
    pub(crate) dir: PathBuf,
    /// The policy: whose log you trust, and how many witnesses must have cosigned it
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    /// The first day of acceptance that counts, as in 2026-01-01; without it, from the beginning
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) from: Option<Day>,
    /// The last one; without it, up to the last manifest
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) to: Option<Day>,
    /// Compare every receipt in this directory with the account
    #[arg(long, value_name = "DIR")]
    pub(crate) receipts: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct WitnessArgs {
    /// Where the key and what was cosigned are kept: keep this directory, or retire the witness
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
    /// The witness's name, as in witness.example.org
    #[arg(long)]
    pub(crate) name: String,
    #[command(subcommand)]
    pub(crate) command: WitnessCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WitnessCommand {
    /// Print the witness's verifier key, for policies; makes the key if there is none
    Key,
    /// Rebuild a log's directory and cosign its checkpoint: prints the checkpoint with the cosignature
    Cosign {
        /// The log's directory
        log: PathBuf,
        /// The policy: whose log it is
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
    },
    /// Answer logs that ask (C2SP tlog-witness), over plain HTTP: put TLS in front of it
    Serve {
        /// A policy that names a log; may be repeated
        #[arg(long, value_name = "FILE", required = true)]
        policy: Vec<PathBuf>,
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:8021")]
        listen: std::net::SocketAddr,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct BundleArgs {
    /// The receipt file
    pub(crate) file: PathBuf,
    /// Where to write the bundle
    pub(crate) bundle: PathBuf,
    /// Where to write the bytes that it is about: the statement's DSSE encoding
    pub(crate) artifact: PathBuf,
    /// A time stamp on its signature, to go into the bundle; it is not verified here
    #[arg(long, value_name = "FILE")]
    pub(crate) timestamp: Option<PathBuf>,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct EvidenceArgs {
    #[command(subcommand)]
    pub(crate) command: EvidenceCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Pack receipts, log, register, timeline and figures into a new directory, a bag (RFC 8493)
    Export(ExportArgs),
    /// List the places that a request touched in a store, one a line: what can be opened
    Places {
        /// The request's reference
        reference: String,
        /// The store's id
        store: String,
        #[command(flatten)]
        at: Where,
    },
    /// Open the evidence of one place under a receipt, for somebody who asks about it: a file that shows this
    /// place and no other
    Open(OpenEvidenceArgs),
    /// Check an opening, offline: the receipt, that the opening is of its evidence, and of this place
    Check {
        /// The opening
        opening: PathBuf,
        /// The receipt file
        #[arg(long, value_name = "FILE")]
        receipt: PathBuf,
        /// The place that it is said to be about
        #[arg(long, value_name = "PLACE")]
        place: String,
        /// The policy by which the receipt is verified first
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
    },
    /// Check a bag, offline: digests, the whole log, every receipt, the account
    Verify {
        /// The bag's directory
        bag: PathBuf,
        /// The policy that you trust; the bag's own is not used
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// The certificates (PEM) of the time-stamping authorities that you trust; without them, the bag's time
        /// stamps are not judged
        #[arg(long, value_name = "PEM")]
        anchors: Option<PathBuf>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct OpenEvidenceArgs {
    /// The receipt file
    pub(crate) receipt: PathBuf,
    /// The store's id
    pub(crate) store: String,
    /// The place, as `dsr evidence places` writes it
    pub(crate) place: String,
    /// Of a batch's receipt: the reference of the member whose evidence it is, as `dsr batch outcomes` lists them
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) member: Option<String>,
    /// The policy by which the receipt is verified first
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    /// Where to write the opening
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) at: Where,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct ExportArgs {
    /// The directory to make
    pub(crate) out: PathBuf,
    /// The directory of a running `dsr local`; without it, the QUITTANCE_ settings in the environment
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The first day of acceptance; without it, from the beginning
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) from: Option<Day>,
    /// The last one; without it, up to the last manifest
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) to: Option<Day>,
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| "a day is written YYYY-MM-DD".to_owned())
}

#[derive(ClapArgs, Debug)]
pub(crate) struct DataMapArgs {
    #[command(subcommand)]
    pub(crate) command: DataMapCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataMapCommand {
    /// Compare a data map with the account that it speaks of: places that no store names, keys and
    /// indexes that are otherwise, what rewrites set off, copies; reads settings, and no data
    Drift {
        /// The data map, a YAML file
        file: PathBuf,
        /// A table or bucket that belongs in no map; may be repeated. Quittance's own are known where its
        /// settings are in the environment
        #[arg(long, value_name = "NAME")]
        ours: Vec<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Report everything that is wrong with a data map, by line
    Check {
        /// The data map, a YAML file
        file: PathBuf,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct RegimeArgs {
    #[command(subcommand)]
    pub(crate) command: RegimeCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RegimeCommand {
    /// List laws and rights: time to respond, extension, confidence, citation
    List {
        /// Only this right: access, deletion or opt-out
        #[arg(long)]
        right: Option<String>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Show everything that is known about one law
    Show {
        /// The law's id, from the list
        law: String,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct PolicyArgs {
    /// The directory of a `dsr local`; without it, the QUITTANCE_ settings in the environment
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// A witness, its verifier key and its address: "<VKEY> https://…"; the receipts function asks it. Repeat
    /// for each
    #[arg(long, value_name = "KEY ADDRESS", conflicts_with = "dir")]
    pub(crate) witness: Vec<String>,
    /// How many of the witnesses are enough; without it, all of them
    #[arg(long, value_name = "NUMBER", requires = "witness", value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) quorum: Option<u8>,
}
