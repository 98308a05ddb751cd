//! `dsr policy`: whose log, whose signature and which witnesses to believe, as a file for those who verify.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use quittance_aws::adapters::{Adapters, Need};
use quittance_aws::clock::SystemClock;
use quittance_aws::http::is_address;
use quittance_core::receipt::{Policy, PolicySigner, ReceiptKey, Slug, policy_text_of};
use quittance_engine::ports::{Signer, TileStore as _, Witnesses as _};
use quittance_engine::sequencer::EarlierKeys;
use quittance_tlog::VerifierKey;

use crate::args::PolicyArgs;
use crate::company;
use crate::printing::{Failure, data};

/// `dsr policy`.
pub(crate) async fn policy(args: PolicyArgs) -> Result<ExitCode, Failure> {
    let adapters = match &args.dir {
        Some(dir) => company::connect(dir).await?,
        None => Adapters::from_env(&[Need::Signer], Arc::new(SystemClock)).await?,
    };
    let signer = adapters.signer().await?;
    let witnesses = witnesses_of(args.dir.as_deref(), &*signer)?;
    let (text, _) = policy_of(&*signer, &adapters.earlier_keys()?, &witnesses)?;
    let text = asking(text, &args.witness, args.quorum)?;
    data(text.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// Writes witnesses with their addresses into a policy that asks for none yet.
fn asking(plain: String, witnesses: &[String], quorum: Option<u8>) -> Result<String, Failure> {
    if witnesses.is_empty() {
        return Ok(plain);
    }
    let mut lines = Vec::new();
    let mut names = Vec::new();
    for witness in witnesses {
        let form = || {
            Failure::usage(format!(
                "{witness}: a witness is its verifier key, a blank, and an address that begins with https://"
            ))
        };
        let (vkey, url) = witness.split_once(' ').ok_or_else(form)?;
        let key = VerifierKey::parse(vkey).map_err(|_| form())?;
        if !is_address(url) {
            return Err(form());
        }
        lines.push(format!("witness {} {key} {url}\n", key.name()));
        names.push(key.name().to_owned());
    }
    let enough = quorum.map_or_else(|| "all".to_owned(), |enough| enough.to_string());
    let names = names.join(" ");
    lines.push(format!(
        "group witnesses {enough} {names}\nquorum witnesses\n"
    ));
    let text = plain.replacen("quorum none\n", &lines.concat(), 1);
    Policy::parse(&text).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(text)
}

/// The witnesses' keys of a deployment: a `dsr local` has two, one on AWS those that `--witness` names.
pub(crate) fn witnesses_of(
    dir: Option<&Path>,
    signer: &dyn Signer,
) -> Result<Vec<String>, Failure> {
    match dir {
        Some(dir) => Ok(company::witnesses(dir, signer)?.vkeys().to_vec()),
        None => Ok(Vec::new()),
    }
}

/// The policy that a deployment published beside its log; one of its present keys where there is none.
pub(crate) async fn published_or_made(
    adapters: &Adapters,
    witnesses: &[String],
) -> Result<(String, Policy), Failure> {
    let published = adapters.tiles()?.read("policy").await?;
    let Some(bytes) = published else {
        return policy_of(
            &*adapters.signer().await?,
            &adapters.earlier_keys()?,
            witnesses,
        );
    };
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::failed("the published policy is not UTF-8: publish it again"))?;
    let policy = Policy::parse(&text)?;
    Ok((text, policy))
}

/// What an auditor holds: whose log and whose signature to believe, of now and of before.
pub(crate) fn policy_of(
    signer: &dyn Signer,
    earlier: &EarlierKeys,
    witnesses: &[String],
) -> Result<(String, Policy), Failure> {
    let mut logs = vec![VerifierKey::parse(signer.log_vkey())?];
    logs.extend(earlier.logs().iter().cloned());
    let mut keys = vec![ReceiptKey::from_spki_pem(signer.statement_key_pem())?];
    keys.extend(earlier.statements().iter().cloned());
    let signers = (1..).zip(keys).map(|(n, key): (u32, _)| {
        let name = match n {
            1 => Slug::parse("receipts"),
            n => Slug::parse(&format!("receipts-{n}")),
        };
        name.map(|name| PolicySigner { name, key })
    });
    let signers: Option<Vec<PolicySigner>> = signers.collect();
    let signers = signers.ok_or_else(|| Failure::failed("a signer without a name"))?;
    let parse = |vkey: &String| VerifierKey::parse(vkey);
    let witnesses: Vec<VerifierKey> = witnesses.iter().map(parse).collect::<Result<_, _>>()?;
    let text = policy_text_of(&logs, &[], &witnesses, &signers)?;
    let policy = Policy::parse(&text)?;
    Ok((text, policy))
}
