//! `dsr infra`: what a deployment on AWS needs to be told beside its template.

mod policy;
mod stores;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use quittance_core::data_map::DataMap;
use quittance_core::request::Right;
use serde_json::{Map, Value};

use self::policy::Account;
use crate::printing::{Failure, data, json};

#[derive(ClapArgs, Debug)]
pub(crate) struct InfraArgs {
    #[command(subcommand)]
    pub(crate) command: InfraCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum InfraCommand {
    /// Write the policies by which the functions may reach the stores of a data map
    Roles(RolesArgs),
}

#[derive(ClapArgs, Debug)]
pub(crate) struct RolesArgs {
    /// The data map, a YAML file
    pub(crate) data_map: PathBuf,
    /// Only this function's, as an IAM policy: access, deletion or opt-out
    #[arg(long, value_name = "NAME")]
    pub(crate) function: Option<String>,
    /// The account of the stores; without it, `${AWS::AccountId}`
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// The region of the stores; without it, `${AWS::Region}`
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `dsr infra`.
pub(crate) fn infra(args: &InfraArgs) -> Result<ExitCode, Failure> {
    let InfraCommand::Roles(args) = &args.command;
    let bytes = fs::read(&args.data_map)
        .map_err(|error| Failure::failed(format!("{}: {error}", args.data_map.display())))?;
    let map = DataMap::parse_bytes(&bytes)?;
    let account = Account::new(args.account.as_deref(), args.region.as_deref());
    let all = Right::ALL.map(|right| (function(right), right));
    if let Some(wanted) = &args.function {
        let names = all.each_ref().map(|(name, _)| name.as_str()).join(", ");
        let found = all.iter().find(|(name, _)| name == wanted);
        let (_, right) =
            found.ok_or_else(|| Failure::usage(format!("--function must be one of: {names}")))?;
        json(&policy::document(&stores::statements(
            &map, *right, &account,
        )));
        return Ok(ExitCode::SUCCESS);
    }
    let mut documents = Map::new();
    for (name, right) in all {
        let statements = stores::statements(&map, right, &account);
        if !args.json {
            data(&format!("{name}:"));
            for statement in &statements {
                let verbs = statement.actions.join(" ");
                data(&format!("  {:<28} {verbs}", statement.sid));
                for resource in &statement.resources {
                    data(&format!("  {:<28}   {resource}", ""));
                }
            }
        }
        documents.insert(name, policy::document(&statements));
    }
    if args.json {
        json(&Value::Object(documents));
    }
    Ok(ExitCode::SUCCESS)
}

/// What the function of a right is called: its role is named after it.
fn function(right: Right) -> String {
    right.name().replace('_', "-")
}
