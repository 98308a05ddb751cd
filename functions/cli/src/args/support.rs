//! The commands that staff works with, on a deployment.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use crate::batch::Format;

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
