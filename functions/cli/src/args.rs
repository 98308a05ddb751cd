//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use quittance_core::receipt::Day;

use crate::batch::Format;
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
    Open {
        /// The receipt file
        receipt: PathBuf,
        /// The store's id
        store: String,
        /// The place, as `dsr evidence places` writes it
        place: String,
        /// The policy by which the receipt is verified first
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// Where to write the opening
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        at: Where,
    },
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
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
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
}

/// Which deployment: a running `dsr local`, or AWS as the environment says.
#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Where {
    /// The directory of a running `dsr local`; without it, the QUITTANCE_ settings in the environment
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) dir: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    pub(crate) at: Where,
    #[command(subcommand)]
    pub(crate) command: RequestCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RequestCommand {
    /// List open requests by due date
    List {
        /// List closed ones instead, latest first
        #[arg(long)]
        closed: bool,
        /// List the members of batches too
        #[arg(long)]
        members: bool,
    },
    /// Show one request, its tasks and its timeline
    Show {
        /// The request's reference
        reference: String,
    },
    /// Accept a request whose person you identified by other means than the code
    ConfirmIdentity {
        /// The request's reference
        reference: String,
        /// Say that you made sure who asks: whoever reads the mailbox then gets the answer
        #[arg(long, required = true)]
        i_made_sure: bool,
    },
    /// Withdraw a request for its person, before anything was touched
    Revoke {
        /// The request's reference
        reference: String,
    },
    /// Refuse a request, before anything was touched
    Deny {
        /// The request's reference
        reference: String,
        /// One of the Data Rights Protocol's reasons; a wrong one lists them
        #[arg(long)]
        reason: String,
    },
    /// Forbid to touch the request's data
    Hold {
        /// The request's reference
        reference: String,
    },
    /// Lift a hold
    ReleaseHold {
        /// The request's reference
        reference: String,
    },
    /// Take the further time that the law gives; the person must be told why
    Extend {
        /// The request's reference
        reference: String,
    },
    /// Stop the law's clock while the person is asked, where the law stops it
    Pause {
        /// The request's reference
        reference: String,
        /// What the person was asked for: clarification or identity
        #[arg(long)]
        reason: String,
    },
    /// Let the law's clock go on: the person answered
    Resume {
        /// The request's reference
        reference: String,
    },
    /// Let a blocked request try its next step again
    Retry {
        /// The request's reference
        reference: String,
    },
    /// Handle a request under another law, because the form named the wrong one
    ChooseRegime {
        /// The request's reference
        reference: String,
        /// The law's id; `dsr regime list` shows them
        law: String,
        /// Say that you know that nobody has confirmed this law's times
        #[arg(long)]
        accept_unverified: bool,
    },
    /// Let the request end without its blocked stores
    AllowPartial {
        /// The request's reference
        reference: String,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    pub(crate) at: Where,
    /// What kind of identifier is read from standard input, one value on each line
    #[arg(required_unless_present = "list", conflicts_with = "list")]
    pub(crate) kind: Option<String>,
    /// Read people from a list instead, written as for `dsr batch submit`
    #[arg(long, value_name = "FILE")]
    pub(crate) list: Option<PathBuf>,
    /// How the list is written; without it, as its name ends
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// What would be asked: access, deletion or opt-out
    #[arg(long, default_value = "deletion")]
    pub(crate) right: String,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct BatchArgs {
    #[command(flatten)]
    pub(crate) at: Where,
    #[command(subcommand)]
    pub(crate) command: BatchCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BatchCommand {
    /// Hand in a list: you vouch for who these people are. The same file again is the same batch
    Submit(SubmitArgs),
    /// Show how far a batch is
    Show {
        /// The batch's reference
        reference: String,
    },
    /// Write how each person in the list stands: CSV, or JSON Lines with --json; exit 7 while somebody is open
    Outcomes {
        /// The batch's reference
        reference: String,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct SubmitArgs {
    /// The list: CSV with a header, or a JSON object on each line. Columns are named like identifiers of the
    /// data map; `id` is what you call a person
    pub(crate) file: PathBuf,
    /// What is asked: deletion or opt-out
    #[arg(long)]
    pub(crate) right: String,
    /// The law, by id; `dsr regime list` shows them
    #[arg(long)]
    pub(crate) regime: Option<String>,
    /// How the list is written; without it, as its name ends
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// 16 to 128 letters, digits, - or _, to hand in the same file as another batch
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// Only say what would have to be corrected
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    pub(crate) at: Where,
    #[command(subcommand)]
    pub(crate) command: HoldCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// List the holds that stand
    List,
    /// Set a hold: what is in flight finishes, nothing more is deleted
    #[command(subcommand)]
    Set(Held),
    /// Lift a hold: what it stopped goes on by itself
    #[command(subcommand)]
    Lift(Held),
}

/// What a hold is on.
#[derive(Debug, Subcommand)]
pub(crate) enum Held {
    /// A store
    Store {
        /// The store's id
        store: String,
    },
    /// Whoever has an identifier; reads its value, a line, from standard input
    Identifier {
        /// What kind of identifier it is, as the data map calls it
        kind: String,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct SweepArgs {
    #[command(flatten)]
    pub(crate) at: Where,
    #[command(subcommand)]
    pub(crate) command: SweepCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SweepCommand {
    /// List record stores: who waits, whether they are paused, and their sweeps, latest first
    List,
    /// Show one sweep and its shards
    Show {
        /// The store's id
        store: String,
        /// Whose requests it serves: access or deletion
        #[arg(long)]
        right: String,
        /// Its number; without it, the latest
        #[arg(long)]
        n: Option<u32>,
    },
    /// Stop every sweep of a store, after the objects in flight
    Pause {
        /// The store's id
        store: String,
    },
    /// Let a store's sweeps go on
    Resume {
        /// The store's id
        store: String,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct TaskArgs {
    #[command(flatten)]
    pub(crate) at: Where,
    #[command(subcommand)]
    pub(crate) command: TaskCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// List a request's tasks
    List {
        /// The request's reference
        reference: String,
    },
    /// Let a blocked task go on
    Release {
        /// The request's reference
        reference: String,
        /// The store's id
        store: String,
    },
    /// Attest what was done in a store outside AWS
    Attest {
        /// The request's reference
        reference: String,
        /// The store's id
        store: String,
        /// Who attests: a person's name, kept in the vault only
        #[arg(long)]
        by: String,
        /// What was done, in a sentence, kept in the vault only
        #[arg(long)]
        statement: String,
    },
}
