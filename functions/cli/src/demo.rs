//! `dsr demo`: the whole system at work on the music shop's data, told as it happens.
//!
//! The demo uses the request API over HTTP like anyone else, types back codes from the mailbox, and
//! lets the sales team attest as it would with `dsr task attest`. Everything it claims is computed.

mod api;
mod ask;
pub(crate) mod leave;
mod tell;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use futures::future::try_join_all;
use quittance_aws::clock::SystemClock;
use quittance_aws::telemetry::{self, Format};
use quittance_core::audit::Period;
use quittance_core::digest::Digest;
use quittance_core::id::LeafId;
use quittance_core::receipt::{Day, Policy, verify};
use quittance_core::request::Right;
use quittance_engine::ports::{Clock as _, Witnesses as _};
use quittance_engine::sequencer::{EarlierKeys, receipt_of};

use self::api::Api;
use self::ask::{Ask, Asked};
use crate::args::DemoArgs;
use crate::company::{self, Company, Home};
use crate::evidence::Files;
use crate::printing::{Failure, data};
use crate::shop::{self, Customer, Days};
use crate::{evidence, policy};

/// `dsr demo`.
pub(crate) async fn run(args: DemoArgs) -> Result<ExitCode, Failure> {
    if let Some(out) = &args.out {
        leave::claim(out)?;
    }
    telemetry::start(Format::Human, tracing::Level::ERROR, Arc::new(SystemClock));
    let began = SystemClock.now();
    let state = tempfile::tempdir()?;
    tell::opening();
    let company = Company::start(Home::open(state.path(), false)?, 0, Days::DEMO).await?;
    tell::started(&company);
    let before = shop::inventory(company.adapters.clients()).await?;
    tell::lake(before.events);

    let asks = ask::people(&shop::customers());
    tell::people(&asks);
    let api = Api::new(company.api);
    let asked = ask::all(&company, &api, asks).await?;

    tell::results(&company, &asked).await?;
    account(&company).await?;
    let receipts = receipts(&company, &asked).await?;
    let policy = policy::policy_of(
        &*company.signer,
        &EarlierKeys::default(),
        company.witnesses.vkeys(),
    )?;
    let verified = check_receipts(&receipts, &policy)?;
    show_refusal(&receipts, &policy.1)?;
    ask::download_one(&company, &api, &asked).await?;
    let after = shop::inventory(company.adapters.clients()).await?;
    check_others(&before.digests, &after.digests, &asked)?;
    tell::gone(before.events, after.events);
    let log = evidence::log_files(&company.adapters).await?;
    leave::check_log(&log, &policy.1)?;
    if let Some(out) = &args.out {
        leave::write(out, &company, &receipts, &policy.0, &log)?;
        let witnesses = company.witnesses.vkeys();
        evidence::pack_into(
            &out.join("bag"),
            &company.adapters,
            witnesses,
            Period::default(),
        )
        .await?;
        tell::left(out);
    }
    company.stop().await;
    let seconds = SystemClock.now().duration_since(began).as_secs();
    data("");
    data(&format!(
        "Done: {} requests, {verified} receipts verified, in {seconds} s.",
        asked.len()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Has the log cosigned, with the manifest of this day in it, which the receipts function makes when the day is over.
async fn account(company: &Company) -> Result<(), Failure> {
    let receipts = quittance_receipts::wire(&company.adapters, company::handler()).await?;
    let sequencer = receipts.sequencer;
    let clock = company.adapters.clock();
    let (today, by) = (Day::of(clock.now()), company::handler());
    sequencer.account_of(today, &*clock, &by).await?;
    sequencer.run_through(&*clock, jiff::Timestamp::MAX).await?;
    let cosigned = sequencer.cosign(&*company.witnesses, &*clock).await?;
    let size = cosigned.size;
    let size = size.ok_or_else(|| Failure::failed(format!("not cosigned: {cosigned:?}")))?;
    tell::witnessed(size, company.witnesses.vkeys().len());
    Ok(())
}

/// Reads the receipts of all requests: acceptance and outcome.
async fn receipts(company: &Company, asked: &[Asked]) -> Result<Files, Failure> {
    let evidence = company.adapters.evidence()?;
    let ids = asked.iter().map(|asked| asked.id);
    let leaves = ids.flat_map(|id| [LeafId::Acceptance(id), LeafId::Outcome(id)]);
    let read = leaves.map(|leaf| {
        let evidence = &evidence;
        async move {
            let name = leaf.file_name();
            let file = receipt_of(evidence, &leaf).await?;
            let file = file.ok_or_else(|| Failure::failed(format!("{name} is missing")))?;
            Ok::<_, Failure>((name, file))
        }
    });
    Ok(try_join_all(read).await?.into_iter().collect())
}

fn check_receipts(receipts: &Files, policy: &(String, Policy)) -> Result<usize, Failure> {
    for (name, file) in receipts {
        let report = verify(file, &policy.1);
        if let Some(failed) = report.failed() {
            return Err(Failure::failed(format!(
                "{name} does not verify: {failed:?}"
            )));
        }
    }
    tell::verified(receipts);
    Ok(receipts.len())
}

/// Changes one digit of one receipt, and shows that it is refused.
fn show_refusal(receipts: &Files, policy: &Policy) -> Result<(), Failure> {
    let Some((name, file)) = receipts
        .iter()
        .find(|(name, _)| !name.contains("acceptance"))
    else {
        return Err(Failure::failed("there is no receipt to tamper with"));
    };
    let mut forged = file.clone();
    let payload = forged
        .windows(9)
        .position(|window| window == b"\"payload\"")
        .unwrap_or(0);
    // Somewhere in the middle of the signed statement.
    if let Some(byte) = forged.get_mut(payload + 200) {
        *byte = if *byte == b'A' { b'B' } else { b'A' };
    }
    let report = verify(&forged, policy);
    match report.failed() {
        Some(check) => {
            tell::refused(name, check);
            Ok(())
        }
        None => Err(Failure::failed("a forged receipt was believed")),
    }
}

/// Nobody's data changed but theirs who asked for it.
fn check_others(
    before: &BTreeMap<u64, Digest>,
    after: &BTreeMap<u64, Digest>,
    asked: &[Asked],
) -> Result<(), Failure> {
    let may_change = |id: &u64| {
        asked
            .iter()
            .any(|asked| asked.customer.id == *id && asked.right != Right::Access)
    };
    let changed: Vec<u64> = before
        .keys()
        .filter(|id| before.get(id) != after.get(id))
        .copied()
        .collect();
    if let Some(victim) = changed.iter().find(|id| !may_change(id)) {
        return Err(Failure::failed(format!(
            "customer {victim} did not ask, yet their data changed"
        )));
    }
    tell::others(before.len(), changed.len());
    Ok(())
}

impl Ask {
    fn of(customer: &Customer, right: Right) -> Self {
        Self {
            customer: customer.clone(),
            right,
        }
    }
}
