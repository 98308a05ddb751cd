//! `dsr data-map drift`: where a data map and the account that it speaks of differ.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use quittance_aws::clients::Clients;
use quittance_aws::settings::{Setting, Settings};
use quittance_core::data_map::DataMap;
use quittance_core::request::Right;
use quittance_stores::AwsStores;
use quittance_stores::survey::{Finding, survey};
use serde::Serialize;

use crate::args::Where;
use crate::company;
use crate::offline::data_map_in;
use crate::printing::{Failure, data, json, partly};

#[derive(Serialize)]
struct Told {
    /// Whether map and account contradict each other nowhere, and every question was answered.
    agrees: bool,
    findings: Vec<Finding>,
}

/// `dsr data-map drift`.
pub(crate) async fn drift(file: &Path, ours: Vec<String>, at: &Where) -> Result<ExitCode, Failure> {
    let map: DataMap = data_map_in(file)?;
    let mut own: BTreeSet<String> = ours.into_iter().collect();
    let clients = if let Some(dir) = &at.dir {
        let adapters = company::connect(dir).await?;
        let names = PLACES
            .iter()
            .filter_map(|place| adapters.settings().text(*place).ok());
        own.extend(names.map(str::to_owned));
        adapters.clients().clone()
    } else {
        own.extend(Settings::found_in_env(&PLACES).into_values());
        Clients::from_env().await
    };
    let stores = AwsStores::new(clients.dynamodb(), clients.s3(), map.identifiers.clone());
    let stores = stores.with_reach(clients.config().clone(), Right::Access);
    let findings = survey(&stores, &map, &own)
        .await
        .map_err(|fault| Failure::of(&fault))?;
    let agrees = !findings.iter().any(|finding| finding.kind.is_drift());
    if at.json {
        json(&Told { agrees, findings });
    } else {
        for finding in &findings {
            let store = finding.store.as_deref().unwrap_or("-");
            let (kind, place) = (finding.kind, &finding.place);
            data(&format!("{kind:<10} {store:<20} {place}: {}", finding.says));
        }
        let stores = map.stores.len();
        data(&if agrees {
            format!(
                "{}: {stores} stores, as the account has them",
                file.display()
            )
        } else {
            format!(
                "{}: {stores} stores; the account has it otherwise",
                file.display()
            )
        });
    }
    Ok(if agrees { ExitCode::SUCCESS } else { partly() })
}

/// The places that are the deployment's own.
const PLACES: [Setting; 6] = [
    Setting::LedgerTable,
    Setting::KeysTable,
    Setting::HeadTable,
    Setting::VaultBucket,
    Setting::EvidenceBucket,
    Setting::LogBucket,
];
