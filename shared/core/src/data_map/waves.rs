//! In which order stores are searched: who needs an identifier that another store yields comes later.
//!
//! Invariant: the order has no cycle, and every store can be reached from what a person gives.

use std::collections::{BTreeMap, BTreeSet};

use super::problem::Problem;
use super::store::Store;
use crate::id::StoreId;
use crate::subject::IdentifierKind;

/// Says in which wave each store locates, or what is wrong with the order.
pub(super) fn order(
    stores: &[Store],
    asked: &BTreeSet<IdentifierKind>,
) -> Result<BTreeMap<StoreId, u32>, Vec<Problem>> {
    let finds: Vec<BTreeSet<IdentifierKind>> = stores.iter().map(Store::finds_by).collect();
    let needs = |i: usize| -> Vec<usize> {
        let kinds = finds.get(i);
        let yields_any = |other: &Store| {
            kinds.is_some_and(|kinds| other.yields.keys().any(|kind| kinds.contains(kind)))
        };
        let others = stores.iter().enumerate();
        others
            .filter(|(j, other)| *j != i && yields_any(other))
            .map(|(j, _)| j)
            .collect()
    };
    let needs: Vec<Vec<usize>> = (0..stores.len()).map(needs).collect();
    let mut problems = unreachable(stores, &finds, asked);
    let mut waves: Vec<Option<u32>> = vec![None; stores.len()];
    while let Some((i, wave)) = next(&needs, &waves) {
        if let Some(slot) = waves.get_mut(i) {
            *slot = Some(wave);
        }
    }
    problems.extend(cycles(stores, &finds, &needs, &waves));
    if !problems.is_empty() {
        return Err(problems);
    }
    let known = stores.iter().zip(waves);
    Ok(known
        .filter_map(|(store, wave)| Some((store.id.clone(), wave?)))
        .collect())
}

/// Finds a store without a wave all of whose needs have one.
fn next(needs: &[Vec<usize>], waves: &[Option<u32>]) -> Option<(usize, u32)> {
    let wave_of = |i: &usize| waves.get(*i).copied().flatten();
    needs
        .iter()
        .zip(waves)
        .enumerate()
        .find_map(|(i, (needs, wave))| {
            if wave.is_some() {
                return None;
            }
            let below: Option<Vec<u32>> = needs.iter().map(wave_of).collect();
            let wave = below?
                .into_iter()
                .max()
                .map_or(0, |highest| highest.saturating_add(1));
            Some((i, wave))
        })
}

/// Lists stores that nothing a person gives leads to.
fn unreachable(
    stores: &[Store],
    finds: &[BTreeSet<IdentifierKind>],
    asked: &BTreeSet<IdentifierKind>,
) -> Vec<Problem> {
    let mut known = asked.clone();
    let is_reached = |store: &Store, known: &BTreeSet<IdentifierKind>| {
        store.ways().iter().any(|way| way.is_subset(known))
    };
    let mut lost: Vec<(usize, &Store, &BTreeSet<IdentifierKind>)> = stores
        .iter()
        .zip(finds)
        .enumerate()
        .filter(|(_, (store, _))| !store.is_attested())
        .map(|(i, (store, kinds))| (i, store, kinds))
        .collect();
    loop {
        let (reached, rest): (Vec<_>, Vec<_>) = lost
            .into_iter()
            .partition(|(_, store, _)| is_reached(store, &known));
        lost = rest;
        if reached.is_empty() {
            break;
        }
        known.extend(
            reached
                .iter()
                .flat_map(|(_, store, _)| store.yields.keys().cloned()),
        );
    }
    lost.iter()
        .map(|(i, store, kinds)| {
            let kinds = kinds
                .iter()
                .map(IdentifierKind::as_str)
                .collect::<Vec<_>>()
                .join(" or ");
            let message = format!(
                "nothing leads to {}: no request gives {kinds} and no store that can be reached \
                 yields it; add asked: true under identifiers, yields: to a store that is found \
                 by another identifier, or one more find here",
                store.id
            );
            at(store, *i, message)
        })
        .collect()
}

/// Lists the circles among stores that have no wave, each once.
fn cycles(
    stores: &[Store],
    finds: &[BTreeSet<IdentifierKind>],
    needs: &[Vec<usize>],
    waves: &[Option<u32>],
) -> Vec<Problem> {
    let is_open = |i: &usize| waves.get(*i).is_some_and(Option::is_none);
    let mut open: BTreeSet<usize> = (0..stores.len()).filter(is_open).collect();
    let mut problems = Vec::new();
    while let Some(circle) = circle(needs, &open) {
        for i in &circle {
            open.remove(i);
        }
        // Told in the direction of the yields, from the circle's first store in the text.
        let first = circle
            .iter()
            .enumerate()
            .min_by_key(|(_, i)| **i)
            .map_or(0, |(at, _)| at);
        let mut told: Vec<usize> = circle
            .iter()
            .cycle()
            .skip(first)
            .take(circle.len())
            .copied()
            .collect();
        told.extend(told.first().copied());
        let steps: Vec<String> = told
            .iter()
            .zip(told.iter().skip(1))
            .filter_map(|(from, to)| {
                let (from, to, kinds) = (stores.get(*from)?, stores.get(*to)?, finds.get(*to)?);
                let kind = from.yields.keys().find(|kind| kinds.contains(*kind))?;
                let (yielder, line) = (&from.id, from.line);
                Some(format!(
                    "{yielder} (line {line}) yields {kind}, by which {} finds",
                    to.id
                ))
            })
            .collect();
        let Some((i, store)) = told.first().and_then(|i| Some((*i, stores.get(*i)?))) else {
            break;
        };
        let message = format!(
            "identifiers go in a circle, so no store can be searched first: {}; take away one of \
             these yields or finds",
            steps.join("; ")
        );
        problems.push(at(store, i, message));
    }
    problems
}

/// Finds a circle among the open stores: each needs the one before it.
fn circle(needs: &[Vec<usize>], open: &BTreeSet<usize>) -> Option<Vec<usize>> {
    for start in open {
        let mut path = vec![*start];
        let mut here = *start;
        loop {
            let next = needs.get(here)?.iter().find(|i| open.contains(*i));
            let Some(next) = next else { break };
            if let Some(at) = path.iter().position(|i| i == next) {
                let mut circle = path.split_off(at);
                circle.reverse();
                return Some(circle);
            }
            path.push(*next);
            here = *next;
        }
    }
    None
}

fn at(store: &Store, index: usize, message: String) -> Problem {
    Problem {
        line: store.line.0,
        column: 1,
        path: format!("stores[{index}]"),
        message,
    }
}
