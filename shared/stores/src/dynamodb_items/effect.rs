//! Deletes, redacts or flags one item, on condition that it is still this subject's.
//!
//! Read, decide, write under a condition on what was read; when the condition fails, read and
//! decide again. Nothing is ever put whole, so no other writer's change is lost and nothing that
//! was deleted comes back.

use quittance_core::fault::Fault;
use quittance_engine::ports::Effect;

use super::change::{self, Aim, Update};
use super::expression::Bindings;
use super::meter::Units;
use super::path;
use super::probe::Probe;
use super::value::{self, Attributes};
use super::{Items, Key};
use crate::errors;

/// What one try came to.
enum Tried {
    Done(Effect),
    /// A part is changed; the rest needs another update.
    More,
}

/// Makes the effect, deciding again after each conflict.
pub(super) async fn make(items: &Items<'_>, key: &Key) -> Result<Effect, Fault> {
    let mut conflicts = 0_u32;
    loop {
        match attempt(items, key).await {
            Ok(Tried::Done(effect)) => return Ok(effect),
            Ok(Tried::More) => {}
            Err(Fault::Conflict) if conflicts < CONFLICTS => conflicts += 1,
            Err(fault) => return Err(fault),
        }
    }
}

async fn attempt(items: &Items<'_>, key: &Key) -> Result<Tried, Fault> {
    let Some(item) = items.current(key).await? else {
        return Ok(Tried::Done(Effect::Already));
    };
    let Some(probe) = items.probes.iter().find(|probe| probe.holds(&item)) else {
        let effect = if masked_its_identity(items, &item) {
            Effect::Already
        } else {
            Effect::NotTheirs
        };
        return Ok(Tried::Done(effect));
    };
    let mut bindings = Bindings::default();
    let still_theirs = conditions(probe, &item, key, &mut bindings);
    match &items.aim {
        Aim::Delete => {
            delete(items, key, bindings, &still_theirs).await?;
            Ok(Tried::Done(Effect::Made))
        }
        Aim::Change(changes) => {
            // Killed between two updates, the item still names its subject and is found again.
            let lookups = items.probes.iter().flat_map(Probe::lookups);
            let anchors: Vec<_> = lookups.filter_map(|lookup| lookup.anchor(&item)).collect();
            let Some(update) = change::plan(&item, changes, &anchors, &mut bindings)? else {
                return Ok(Tried::Done(Effect::Already));
            };
            write(items, key, bindings, still_theirs, &update).await?;
            Ok(if update.is_whole {
                Tried::Done(Effect::Made)
            } else {
                Tried::More
            })
        }
        Aim::Keep => Err(Fault::reject(format!(
            "the data map wants no effect on table {}",
            items.table
        ))),
    }
}

/// Says what must still be so for the item to be this subject's: it exists, and what identified it
/// is what was read. Key attributes cannot change.
fn conditions(probe: &Probe, item: &Attributes, key: &Key, bindings: &mut Bindings) -> Vec<String> {
    let mut conditions: Vec<String> = key
        .keys()
        .map(|name| format!("attribute_exists({})", bindings.name(name)))
        .collect();
    let anchor = probe
        .lookups()
        .iter()
        .find_map(|lookup| lookup.anchor(item));
    let identified = anchor.and_then(|place| Some((path::look(item, &place)?.clone(), place)));
    if let Some((read, place)) = identified
        && !matches!(place.as_slice(), [path::Step::Name(name)] if key.contains_key(name))
    {
        let place = bindings.place(&place);
        conditions.push(format!("{place} = {}", bindings.value(read)));
    }
    conditions
}

/// Whether an item that no longer names the subject is one that we masked: a repeated delivery
/// finds the identifying field changed when it was among the masked ones.
fn masked_its_identity(items: &Items<'_>, item: &Attributes) -> bool {
    let Aim::Change(changes) = &items.aim else {
        return false;
    };
    let mut lookups = items.probes.iter().flat_map(Probe::lookups);
    lookups.any(|lookup| {
        changes
            .iter()
            .any(|change| lookup.subject.path.starts_with(&change.path))
    }) && items.aim.is_met(item)
}

async fn delete(
    items: &Items<'_>,
    key: &Key,
    bindings: Bindings,
    conditions: &[String],
) -> Result<(), Fault> {
    let (names, values) = bindings.finish();
    items.meter.wait(Units::Write).await;
    let answer = items
        .client
        .delete_item()
        .set_return_consumed_capacity(items.meter.wanted())
        .table_name(items.table)
        .set_key(Some(value::sdk_key(key)?))
        .condition_expression(conditions.join(" AND "))
        .set_expression_attribute_names(names)
        .set_expression_attribute_values(values)
        .send()
        .await
        .map_err(|error| errors::dynamodb("DeleteItem", items.table, &error))?;
    let used = answer.consumed_capacity.as_ref();
    items.meter.pay(Units::Write, used).await;
    Ok(())
}

async fn write(
    items: &Items<'_>,
    key: &Key,
    bindings: Bindings,
    mut conditions: Vec<String>,
    update: &Update,
) -> Result<(), Fault> {
    conditions.extend(update.conditions.iter().cloned());
    let (names, values) = bindings.finish();
    items.meter.wait(Units::Write).await;
    let answer = items
        .client
        .update_item()
        .set_return_consumed_capacity(items.meter.wanted())
        .table_name(items.table)
        .set_key(Some(value::sdk_key(key)?))
        .update_expression(&update.expression)
        .condition_expression(conditions.join(" AND "))
        .set_expression_attribute_names(names)
        .set_expression_attribute_values(values)
        .send()
        .await
        .map_err(|error| errors::dynamodb("UpdateItem", items.table, &error))?;
    let used = answer.consumed_capacity.as_ref();
    items.meter.pay(Units::Write, used).await;
    Ok(())
}

/// How often a conflict is decided again.
const CONFLICTS: u32 = 4;
