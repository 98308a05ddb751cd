//! The register: a row a request, made from its receipts; the fields that 11 CCR 7101(b) names.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::digest::Digest;
use crate::id::RequestId;
use crate::receipt::{Minute, Receipt, Statement};
use crate::request::Right;

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) reference: String,
    pub(super) law: String,
    pub(super) date_of_request: String,
    pub(super) nature_of_request: String,
    pub(super) manner_of_request: String,
    pub(super) due: String,
    pub(super) date_of_response: String,
    pub(super) nature_of_response: String,
    /// Codes: why it was denied, what was kept by law, what could not be done.
    pub(super) basis_for_denial: Vec<String>,
}

impl Row {
    pub(super) const HEAD: [&'static str; 9] = [
        "reference",
        "law",
        "date_of_request",
        "nature_of_request",
        "manner_of_request",
        "due",
        "date_of_response",
        "nature_of_response",
        "basis_for_denial",
    ];

    pub(super) fn cells(&self) -> Vec<String> {
        vec![
            self.reference.clone(),
            self.law.clone(),
            self.date_of_request.clone(),
            self.nature_of_request.clone(),
            self.manner_of_request.clone(),
            self.due.clone(),
            self.date_of_response.clone(),
            self.nature_of_response.clone(),
            self.basis_for_denial.join(" "),
        ]
    }
}

/// Makes the register, by date of the request.
pub(super) fn rows(statements: &[Statement]) -> Vec<Row> {
    let mut rows: BTreeMap<RequestId, Row> = BTreeMap::new();
    let mut amended: BTreeMap<RequestId, u32> = BTreeMap::new();
    for statement in statements {
        let Some(request) = statement.request() else {
            continue;
        };
        let row = rows.entry(request).or_insert_with(|| Row {
            reference: request.reference().to_string(),
            manner_of_request: MANNER.to_owned(),
            ..Row::default()
        });
        match statement {
            Statement::Acceptance(_, says) => {
                row.date_of_request = says.accepted_at.to_string();
                says.right.name().clone_into(&mut row.nature_of_request);
                if row.due.is_empty() {
                    row.law = says.regime.id.to_string();
                    row.due = says.due_at.to_string();
                }
            }
            Statement::Receipt(_, says) | Statement::Amendment(_, says) => {
                // The last correction counts.
                let n = says.amendment.unwrap_or(0);
                let last = amended.entry(request).or_default();
                if n >= *last {
                    *last = n;
                    ended(row, says);
                }
            }
            Statement::Manifest(_) => {}
        }
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    rows.sort_by(|a, b| {
        (&a.date_of_request, &a.reference).cmp(&(&b.date_of_request, &b.reference))
    });
    rows
}

fn ended(row: &mut Row, says: &Receipt) {
    let due: Minute = says.extended_to.unwrap_or(says.due_at);
    row.law = says.regime.id.to_string();
    row.date_of_request = says.accepted_at.to_string();
    says.right.name().clone_into(&mut row.nature_of_request);
    row.due = due.to_string();
    row.date_of_response = says.responded_at.to_string();
    says.outcome.name().clone_into(&mut row.nature_of_response);
    let mut basis: BTreeSet<String> = BTreeSet::new();
    basis.extend(says.reason.as_ref().map(ToString::to_string));
    for store in &says.stores {
        if says.right != Right::OptOut {
            // A store without a flag to set keeps nothing from anybody who opts out.
            basis.extend(store.exempt.iter().map(|exempt| exempt.reason.to_string()));
        }
        basis.extend(
            store
                .blocked
                .iter()
                .map(|blocked| blocked.reason.to_string()),
        );
    }
    row.basis_for_denial = basis.into_iter().collect();
}

/// Which data maps were in force, and how much of them the receipts tell of.
pub(super) fn data_maps(statements: &[Statement]) -> Vec<Vec<String>> {
    let mut maps: BTreeMap<Digest, (u64, u64, BTreeSet<String>)> = BTreeMap::new();
    for statement in statements {
        if let Statement::Receipt(_, says) | Statement::Amendment(_, says) = statement {
            let known = maps.entry(says.data_map.sha256).or_default();
            known.0 += 1;
            known.1 = says.data_map.stores_declared;
            known
                .2
                .extend(says.stores.iter().map(|store| store.store.to_string()));
        }
    }
    maps.into_iter()
        .map(|(digest, (receipts, declared, told))| {
            vec![
                digest.to_string(),
                receipts.to_string(),
                declared.to_string(),
                told.len().to_string(),
            ]
        })
        .collect()
}

/// The only way in so far: requests made otherwise are typed into the same form by staff.
const MANNER: &str = "request_form";
