//! What a data map may say, but probably does not mean.

use std::collections::BTreeSet;

use super::problem::Problem;
use super::residency;
use super::rule::{OptOutRule, RetainUntil};
use super::store::{Find, Line, Place, Store};
use super::{About, DataMap};
use crate::subject::IdentifierKind;

/// Lists the warnings of a map, in the order of the text.
pub(super) fn warnings(map: &DataMap) -> Vec<Problem> {
    let mut found = Vec::new();
    identifiers(map, &mut found);
    for (index, store) in map.stores.iter().enumerate() {
        let path = format!("stores[{index}]");
        about(store, &path, &mut found);
        finds(store, &path, &mut found);
        rules(store, &path, &mut found);
    }
    if map
        .stores
        .iter()
        .all(|store| store.opt_out == OptOutRule::NoFlag)
    {
        let message = "no store has an opt_out rule: an opt-out reaches the suppression list only";
        let line = map
            .stores
            .iter()
            .map(|store| store.line.0)
            .min()
            .unwrap_or(1);
        found.push(warning(Line(line), "stores", message));
    }
    found.sort();
    found
}

fn identifiers(map: &DataMap, found: &mut Vec<Problem>) {
    let used: BTreeSet<IdentifierKind> = map
        .stores
        .iter()
        .flat_map(|store| {
            store
                .finds_by()
                .into_iter()
                .chain(store.yields.keys().cloned())
        })
        .collect();
    for (kind, rule) in &map.identifiers {
        let path = format!("identifiers.{kind}");
        if !used.contains(kind) {
            let message = "no store is found by it or yields it; remove it, or use it";
            found.push(warning(rule.line, &path, message));
        } else if !rule.asked
            && !map
                .stores
                .iter()
                .any(|store| store.yields.contains_key(kind))
        {
            let message = "no request gives it and no store yields it, so nothing is ever found by \
                           it; add asked: true, or yields: to a store";
            found.push(warning(rule.line, &path, message));
        }
    }
    if map.provable_kinds().is_empty() {
        let message = "nobody can prove to be the subject by mail: only opt-outs can be requested; \
                       declare an identifier with normalise: email";
        let line = map
            .identifiers
            .values()
            .map(|rule| rule.line.0)
            .min()
            .unwrap_or(1);
        found.push(warning(Line(line), "identifiers", message));
    }
}

fn about(store: &Store, path: &str, found: &mut Vec<Problem>) {
    let About {
        source,
        purposes,
        categories,
        ..
    } = &store.about;
    let missing: Vec<&str> = [
        ("source", source.is_empty()),
        ("purposes", purposes.is_empty()),
        ("categories", categories.is_empty()),
    ]
    .into_iter()
    .filter_map(|(name, is_missing)| is_missing.then_some(name))
    .collect();
    if !missing.is_empty() {
        let message = format!(
            "exports cannot say what Art. 15 GDPR asks: {} missing; add about: {{ source: \
             first_party, purposes: […], categories: […] }}",
            missing.join(", ")
        );
        found.push(warning(store.line, &format!("{path}.about"), &message));
    }
}

/// Ways that read a whole table are harmless where another one finds the same.
fn finds(store: &Store, path: &str, found: &mut Vec<Problem>) {
    let is_table = match &store.place {
        Place::DynamoDb(_) => true,
        Place::S3Objects(_) | Place::S3Records(_) | Place::Attested(_) => false,
    };
    if !is_table || !store.find.iter().all(Find::reads_everything) {
        return;
    }
    for (index, find) in store.find.iter().enumerate() {
        let message = "no key and no complete index finds a subject here, so the whole \
                       table is read, in sweeps; add a find by key, or by a complete index";
        found.push(warning(
            find.line,
            &format!("{path}.find[{index}]"),
            message,
        ));
    }
}

fn rules(store: &Store, path: &str, found: &mut Vec<Problem>) {
    if store
        .deletion
        .retention()
        .is_some_and(|kept| kept.until == RetainUntil::Indefinite)
    {
        let message = "data is kept without an end; add until: and a day or a time such as 10y";
        found.push(warning(
            store.line,
            &format!("{path}.deletion.retain"),
            message,
        ));
    }
    if let Some(account) = &store.account
        && account.role_arn.is_some()
        && account.external_id.is_none()
    {
        let message = "the role can be assumed for others (confused deputy); add external_id:";
        found.push(warning(store.line, &format!("{path}.account"), message));
    }
    let region = store
        .account
        .as_ref()
        .and_then(|there| there.region.as_deref());
    if let Some((residency, region)) = store.residency.as_deref().zip(region)
        && residency::agrees(residency, region) == Some(false)
    {
        let message = format!(
            "the region {region} does not lie in {residency}; correct residency: or the region"
        );
        found.push(warning(store.line, &format!("{path}.residency"), &message));
    }
}

fn warning(line: Line, path: &str, message: &str) -> Problem {
    Problem {
        line: line.0,
        column: 1,
        path: path.to_owned(),
        message: message.to_owned(),
    }
}
