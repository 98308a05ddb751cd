//! The order of waves against a naive one, on random graphs.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::waves;
use super::*;

/// A store that finds by and yields these kinds, numbered.
fn store(index: usize, finds: &BTreeSet<u8>, yields: &BTreeSet<u8>) -> Store {
    let by_key = |kind: &u8| {
        let kind = numbered(*kind);
        let value = ValueTemplate::bare(kind.clone());
        let query = KeyQuery {
            key: "pk".to_owned(),
            key_type: KeyType::String,
            value,
            sort: None,
        };
        Find {
            kind,
            how: FindHow::Key(query),
            line: Line(index + 10),
        }
    };
    Store {
        id: StoreId::parse(&format!("s{index}")).unwrap(),
        public_name: format!("Store {index}"),
        place: Place::DynamoDb(DynamodbItems {
            budget: None,
            table: "table".to_owned(),
        }),
        find: finds.iter().map(by_key).collect(),
        yields: yields
            .iter()
            .map(|kind| (numbered(*kind), FieldPath::parse("field").unwrap()))
            .collect(),
        access: AccessRule::default(),
        deletion: DeletionRule::DeleteItem,
        opt_out: OptOutRule::NoFlag,
        about: About::default(),
        residency: None,
        account: None,
        sweep: None,
        copies: BTreeMap::new(),
        line: Line(index + 10),
    }
}

fn numbered(number: u8) -> IdentifierKind {
    kind(&format!("k{number}"))
}

/// The naive oracle: repeats the definition until nothing changes; none when it never ends.
fn naive(stores: &[Store]) -> Option<Vec<u32>> {
    let mut waves = vec![0_u32; stores.len()];
    for _ in 0..=stores.len() {
        let next: Vec<u32> = (0..stores.len())
            .map(|t| {
                let finds = stores[t].finds_by();
                (0..stores.len())
                    .filter(|s| *s != t && stores[*s].yields.keys().any(|k| finds.contains(k)))
                    .map(|s| waves[s] + 1)
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        if next == waves {
            return Some(waves);
        }
        waves = next;
    }
    None
}

/// The naive oracle of reachability.
fn reachable(stores: &[Store], asked: &BTreeSet<IdentifierKind>) -> bool {
    let mut known = asked.clone();
    for _ in stores {
        for store in stores {
            if !store.finds_by().is_disjoint(&known) {
                known.extend(store.yields.keys().cloned());
            }
        }
    }
    stores
        .iter()
        .all(|store| !store.finds_by().is_disjoint(&known))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn waves_are_those_of_the_definition(
        parts in proptest::collection::vec(
            (
                proptest::collection::btree_set(0_u8..6, 1..3),
                proptest::collection::btree_set(0_u8..6, 0..2),
            ),
            1..7,
        ),
        asked in proptest::collection::btree_set(0_u8..6, 1..4),
    ) {
        let stores: Vec<Store> = parts
            .iter()
            .enumerate()
            .map(|(index, (finds, yields))| store(index, finds, yields))
            .collect();
        let asked: BTreeSet<IdentifierKind> = asked.into_iter().map(numbered).collect();
        let found = waves::order(&stores, &asked);
        match (naive(&stores), reachable(&stores, &asked)) {
            (Some(expected), true) => {
                let found = found.expect("an order");
                let found: Vec<u32> = stores.iter().map(|store| found[&store.id]).collect();
                prop_assert_eq!(found, expected);
            }
            (order, is_reachable) => {
                let problems = found.expect_err("no order");
                let says = |text: &str| problems.iter().any(|p| p.message.contains(text));
                prop_assert_eq!(says("in a circle"), order.is_none());
                prop_assert_eq!(says("nothing leads to"), !is_reachable);
                prop_assert!(problems.iter().all(|p| p.line >= 10));
            }
        }
    }
}

#[test]
fn a_circle_is_told_store_by_store() {
    let set = |kinds: &[u8]| kinds.iter().copied().collect::<BTreeSet<u8>>();
    let stores = [
        store(0, &set(&[0, 3]), &set(&[1])),
        store(1, &set(&[1]), &set(&[2])),
        store(2, &set(&[2]), &set(&[3])),
        store(3, &set(&[3]), &set(&[])),
    ];
    let problems = waves::order(&stores, &BTreeSet::from([numbered(0)])).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].message,
        "identifiers go in a circle, so no store can be searched first: s0 (line 10) yields k1, by \
         which s1 finds; s1 (line 11) yields k2, by which s2 finds; s2 (line 12) yields k3, by which \
         s0 finds; take away one of these yields or finds"
    );
}

#[test]
fn a_store_that_yields_what_it_finds_by_needs_nobody() {
    let kinds = BTreeSet::from([0, 1]);
    let stores = [store(0, &kinds, &BTreeSet::from([1]))];
    let waves = waves::order(&stores, &BTreeSet::from([numbered(0)])).unwrap();
    assert_eq!(waves.values().copied().collect::<Vec<u32>>(), [0]);
}
