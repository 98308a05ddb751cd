//! `dsr open`: is this receipt about me? Only whoever has the key from the acknowledgement can ask.
//!
//! Key and identifier come from standard input, so that they stand in no list of processes and no
//! history; nothing of them is printed.

use std::process::ExitCode;

use quittance_core::digest::{HmacKey, Tag};
use quittance_core::receipt::{MAX_FILE_BYTES, ReceiptFile, Statement, verify};
use quittance_core::subject::{IdentifierKind, Normalise, Region, commitment};

use super::{parse_policy, read};
use crate::args::OpenArgs;
use crate::printing::{Failure, data, verification_failed};

/// `dsr open`.
pub(crate) fn open(args: &OpenArgs) -> Result<ExitCode, Failure> {
    let policy = parse_policy(&args.policy)?;
    let bytes = read(&args.file, MAX_FILE_BYTES)?;
    let scheme = IdentifierKind::parse(&args.scheme)
        .ok_or_else(|| Failure::usage("--scheme is the identifier's name, such as email"))?;
    let wanted = args.normalise.as_deref().unwrap_or(&args.scheme);
    let way = Normalise::ALL.into_iter().find(|way| way.name() == wanted);
    let way = way.ok_or_else(|| {
        let known = Normalise::ALL.map(Normalise::name).join(", ");
        Failure::usage(format!("--normalise must be one of: {known}"))
    })?;
    let region = match &args.region {
        Some(text) => Some(
            Region::parse(text)
                .ok_or_else(|| Failure::usage("--region is two capital letters, such as DE"))?,
        ),
        None => None,
    };
    let key = line("the key from the acknowledgement")?;
    let key = HmacKey::try_from(key).map_err(|_| {
        Failure::usage("the key is 64 digits of 0-9 a-f, as in the acknowledgement")
    })?;
    let identifier = line("the identifier")?;
    let value = way
        .apply_in(&identifier, region)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let report = verify(&bytes, &policy);
    if let Some(check) = report.failed() {
        data(&format!(
            "NOT verified: {}: {}",
            check.name.code(),
            check.explanation
        ));
        return Ok(verification_failed());
    }
    let committed = ReceiptFile::parse(&bytes)?
        .statement()
        .and_then(|statement| committed(&statement));
    if committed == Some(commitment(&key, &scheme, &value)) {
        data("verified, and it is about this identifier");
        Ok(ExitCode::SUCCESS)
    } else {
        data("verified, and it is NOT about this identifier, or the key is another request's");
        Ok(verification_failed())
    }
}

fn committed(statement: &Statement) -> Option<Tag> {
    match statement {
        Statement::Acceptance(about, _)
        | Statement::Receipt(about, _)
        | Statement::Amendment(about, _) => Some(about.commitment),
        Statement::Manifest(_) => None,
    }
}

fn line(what: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().read_line(&mut text)?;
    if read == 0 {
        return Err(Failure::usage(format!(
            "standard input ended before {what}: give two lines, key and identifier"
        )));
    }
    Ok(text.trim().to_owned())
}
