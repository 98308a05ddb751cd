//! Any map survives its own text; no bytes make the parser panic.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use serde_json::json;

use super::super::waves;
use super::render::{render, write_block};
use super::*;
use crate::outcome::ResidualKind;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_map_survives_its_text(map in maps()) {
        let tree = render(&map);
        let mut block = String::new();
        write_block(&mut block, &tree, 0);
        for text in [tree.to_string(), block] {
            match DataMap::parse(&text) {
                Ok(parsed) => prop_assert_eq!(&parsed, &map),
                Err(problems) => prop_assert!(false, "{}\n{}", problems, text),
            }
        }
    }

    #[test]
    fn the_order_of_stores_does_not_change_the_digest(map in maps(), turn in 0_usize..8) {
        let mut stores = map.stores.clone();
        let middle = turn % stores.len();
        stores.rotate_left(middle);
        let mut turned = render(&map);
        turned["stores"].as_array_mut().unwrap().rotate_left(middle);
        let turned = DataMap::parse(&turned.to_string()).unwrap();
        prop_assert_eq!(&turned.stores, &stores);
        prop_assert_eq!(turned.digest(), map.digest());
        prop_assert_eq!(turned.waves(), map.waves());
    }

    #[test]
    fn a_changed_store_changes_the_digest(map in maps()) {
        let mut changed = render(&map);
        changed["stores"][0]["public_name"] = json!("A name that is not generated 4711");
        let changed = DataMap::parse(&changed.to_string()).unwrap();
        prop_assert_ne!(changed.digest(), map.digest());
        prop_assert_ne!(changed.stores[0].digest(), map.stores[0].digest());
    }

    #[test]
    fn random_bytes_are_refused_without_panic(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert!(DataMap::parse_bytes(&bytes).is_err());
    }

    #[test]
    fn random_yaml_is_refused_without_panic(text in "[-:\\[\\]{}&*!|>'\"%@`#,? \n\ta-z0-9~.]{0,200}") {
        prop_assert!(DataMap::parse(&text).is_err());
    }

    /// The example with some bytes changed: whatever comes out, it is a map or problems with lines.
    #[test]
    fn a_damaged_map_never_panics(at in any::<prop::sample::Index>(), cut in 0_usize..30, insert in "\\PC{0,8}") {
        let example = golden("example.yaml");
        let mut bytes = example.into_bytes();
        let start = at.index(bytes.len());
        let end = (start + cut).min(bytes.len());
        bytes.splice(start..end, insert.bytes());
        if let Err(Problems(problems)) = DataMap::parse_bytes(&bytes) {
            prop_assert!(!problems.is_empty());
            let lines = bytes.split(|b| *b == b'\n').count() + 1;
            for problem in problems {
                prop_assert!((1..=lines).contains(&problem.line), "{}", problem);
            }
        }
    }
}

fn maps() -> impl Strategy<Value = DataMap> {
    let identifiers = btree_map(kinds(), rules(), 1..5);
    (
        controllers(),
        identifiers,
        rules_of_mail(),
        vec(specs(), 1..6),
    )
        .prop_map(|(controller, mut identifiers, mail, specs)| {
            identifiers.insert(kind("email"), mail);
            let kinds: Vec<IdentifierKind> = identifiers.keys().cloned().collect();
            let stores: Vec<Store> = specs
                .into_iter()
                .enumerate()
                .map(|(n, spec)| store(n, spec, &kinds))
                .collect();
            let asked = identifiers.iter().filter(|(_, rule)| rule.asked);
            let asked: BTreeSet<IdentifierKind> = asked.map(|(kind, _)| kind.clone()).collect();
            let waves = waves::order(&stores, &asked).expect("an order by construction");
            DataMap::build(controller, identifiers, stores, waves)
        })
}

fn texts() -> impl Strategy<Value = String> {
    "\\PC{1,30}".prop_filter_map("a text", |text| {
        let text = text.trim().to_owned();
        (!text.is_empty()).then_some(text)
    })
}

fn ids() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,12}"
}

fn kinds() -> impl Strategy<Value = IdentifierKind> {
    ids().prop_map(|text| kind(&text))
}

fn paths() -> impl Strategy<Value = FieldPath> {
    "[a-zA-Z_ÄÖ][a-z_]{0,8}(\\.[a-z]{1,5}){0,2}".prop_map(|text| FieldPath::parse(&text).unwrap())
}

fn names() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_.-]{3,20}"
}

fn controllers() -> impl Strategy<Value = Controller> {
    let roles = select(vec![Role::Controller, Role::Processor]);
    (
        ids(),
        texts(),
        texts(),
        roles,
        option::of(texts()),
        option::of(texts()),
        option::of(select(vec!["Europe/Berlin", "America/New_York"])),
    )
        .prop_map(
            |(id, name, contact, role, authority, automated_decisions, zone)| Controller {
                id,
                name,
                contact,
                role,
                time_zone: zone.and_then(Zone::parse),
                authority,
                automated_decisions,
            },
        )
}

fn rules() -> impl Strategy<Value = IdentifierRule> {
    let ways = select(Normalise::ALL.to_vec());
    (ways, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(normalise, asked, many, region)| {
            let region =
                (region && normalise == Normalise::Phone).then(|| Region::parse("DE").unwrap());
            IdentifierRule {
                normalise,
                asked,
                many,
                region,
                line: Line(1),
            }
        },
    )
}

fn rules_of_mail() -> impl Strategy<Value = IdentifierRule> {
    rules().prop_map(|rule| IdentifierRule {
        normalise: Normalise::Email,
        asked: true,
        region: None,
        ..rule
    })
}

/// What is random about a store; who needs whom is made in `store`, so that there is an order.
#[derive(Clone, Debug)]
struct Spec {
    public_name: String,
    place: Place,
    finds: Vec<(KeyQuery, Option<(String, Coverage)>)>,
    field: FieldPath,
    hash: Option<Hash>,
    yields: Option<FieldPath>,
    exclude: BTreeSet<FieldPath>,
    changes: Change,
    about: About,
    residency: Option<String>,
    account: Option<Account>,
    sweep: Option<Sweep>,
    copies: BTreeMap<ResidualKind, RetainUntil>,
}

#[derive(Clone, Debug)]
struct Change {
    deletion: DeletionRule,
    flags: Option<ScalarValue>,
}

fn specs() -> impl Strategy<Value = Spec> {
    let finds = vec((queries(), option::of((names(), coverages()))), 1..3);
    let hashes = option::of(select(vec![Hash::Sha256Base64, Hash::Sha256Hex]));
    let fields = (paths(), hashes);
    let first = (texts(), places(), finds, fields, option::of(paths()));
    let exclude = btree_set(paths(), 0..3);
    let sweep = option::of((15_u32..=1440).prop_map(|every_minutes| Sweep { every_minutes }));
    let kinds = select(vec![
        ResidualKind::Backup,
        ResidualKind::Inventory,
        ResidualKind::Pitr,
    ]);
    let lasts = select(vec![
        RetainUntil::Indefinite,
        RetainUntil::After(Period {
            count: 35,
            unit: PeriodUnit::Days,
        }),
    ]);
    let second = (
        exclude,
        changes(),
        abouts(),
        option::of(texts()),
        option::of(accounts()),
        sweep,
        btree_map(kinds, lasts, 0..3),
    );
    (first, second).prop_map(|((public_name, place, finds, fields, yields), second)| {
        let (field, hash) = fields;
        let (exclude, changes, about, residency, account, sweep, copies) = second;
        Spec {
            public_name,
            place,
            finds,
            field,
            hash,
            yields,
            exclude,
            changes,
            about,
            residency,
            account,
            sweep,
            copies,
        }
    })
}

fn budgets() -> impl Strategy<Value = Budget> {
    (1_u32..1_000, option::of(1_u32..1_000)).prop_map(|(read, write)| Budget {
        read: Some(read),
        write,
    })
}

fn places() -> impl Strategy<Value = Place> {
    let objects = "[a-z]{1,5}/\\{email\\}(/|\\.pdf|)";
    let piped = Dialect {
        delimiter: Delimiter::Pipe,
        ..Dialect::default()
    };
    let formats = select(vec![
        (RecordFormat::Csv(Dialect::default()), Compression::Gzip),
        (RecordFormat::Csv(piped), Compression::None),
        (RecordFormat::Jsonl, Compression::None),
        (RecordFormat::Jsonl, Compression::Snappy),
        (RecordFormat::Jsonl, Compression::Zstd),
        (RecordFormat::Parquet, Compression::None),
    ]);
    prop_oneof![
        (names(), option::of(budgets()))
            .prop_map(|(table, budget)| Place::DynamoDb(DynamodbItems { table, budget })),
        ("[a-z]{3,9}", objects).prop_map(|(bucket, objects)| Place::S3Objects(S3Objects {
            bucket,
            objects: KeyTemplate::parse(&objects).unwrap(),
        })),
        ("[a-z]{3,9}", "([a-z]{1,5}/)?", formats).prop_map(|(bucket, prefix, formats)| {
            let (format, compression) = formats;
            Place::S3Records(S3Records {
                bucket,
                prefix,
                format,
                compression,
            })
        }),
        (texts(), 1_u32..=366)
            .prop_map(|(by, within_days)| Place::Attested(Attested { by, within_days })),
    ]
}

fn coverages() -> impl Strategy<Value = Coverage> {
    select(vec![Coverage::Complete, Coverage::Partial])
}

fn queries() -> impl Strategy<Value = KeyQuery> {
    let tests = prop_oneof![
        texts().prop_map(SortTest::BeginsWith),
        texts().prop_map(SortTest::Equals)
    ];
    let sorts = (texts(), tests).prop_map(|(key, test)| SortKey { key, test });
    let types = select(vec![KeyType::Number, KeyType::String]);
    (
        "[A-Z]{1,8}",
        types,
        "[A-Z#]{0,4}\\{email\\}[A-Z#]{0,3}",
        option::of(sorts),
    )
        .prop_map(|(key, key_type, value, sort)| {
            let value = ValueTemplate::parse(&value).unwrap();
            KeyQuery {
                key,
                key_type,
                value,
                sort,
            }
        })
}

fn changes() -> impl Strategy<Value = Change> {
    let masks = select(vec![Mask::Fixed, Mask::Null, Mask::Pseudonym, Mask::Remove]);
    let units = select(vec![
        PeriodUnit::Years,
        PeriodUnit::Months,
        PeriodUnit::Days,
    ]);
    let until = prop_oneof![
        Just(RetainUntil::Indefinite),
        (1_u16..200, units).prop_map(|(count, unit)| RetainUntil::After(Period { count, unit })),
        (1_i16..28, 2000_i16..9999).prop_map(|(day, year)| {
            RetainUntil::Date(format!("{year}-02-{day:02}").parse().unwrap())
        }),
    ];
    let deletions = Union::new([
        Just(DeletionRule::DeleteItem).boxed(),
        ("[a-z]{1,9}x", masks)
            .prop_map(|(path, mask)| DeletionRule::Redact {
                fields: [(FieldPath::parse(&path).unwrap(), mask)].into(),
                rest: None,
            })
            .boxed(),
        (ids(), until)
            .prop_map(|(basis, until)| {
                let basis = Basis::parse(&basis).unwrap();
                DeletionRule::Retain(Retention { basis, until })
            })
            .boxed(),
    ]);
    let scalars = prop_oneof![
        any::<bool>().prop_map(ScalarValue::Boolean),
        (-1000_i64..1000).prop_map(ScalarValue::Integer),
        texts().prop_map(ScalarValue::Text),
    ];
    (deletions, option::of(scalars)).prop_map(|(deletion, flags)| Change { deletion, flags })
}

fn abouts() -> impl Strategy<Value = About> {
    let lists = || vec(texts(), 0..3);
    (
        texts(),
        lists(),
        lists(),
        lists(),
        option::of(texts()),
        option::of(texts()),
    )
        .prop_map(
            |(source, purposes, categories, recipients, retention, transfers)| About {
                source,
                purposes,
                categories,
                recipients,
                retention,
                transfers,
            },
        )
}

fn accounts() -> impl Strategy<Value = Account> {
    let region = || "[a-z]{2}-[a-z]{4,6}-[1-9]";
    let role = "arn:aws:iam::[0-9]{12}:role/[a-z]{1,9}";
    prop_oneof![
        region().prop_map(|region| Account {
            role_arn: None,
            external_id: None,
            region: Some(region),
        }),
        (role, option::of("[a-z0-9-]{2,20}"), option::of(region())).prop_map(
            |(role_arn, external_id, region)| Account {
                role_arn: Some(role_arn),
                external_id,
                region,
            }
        ),
    ]
}

/// Makes the n-th store: found by email, it yields a kind that nobody finds by but later ones.
fn store(n: usize, spec: Spec, kinds: &[IdentifierKind]) -> Store {
    let by = |query: KeyQuery, kind: &IdentifierKind| {
        let text = query
            .value
            .to_string()
            .replace("{email}", &format!("{{{kind}}}"));
        KeyQuery {
            value: ValueTemplate::parse(&text).unwrap(),
            ..query
        }
    };
    let yielded = kinds.get(n).filter(|kind| kind.as_str() != "email");
    let earlier = n.checked_sub(1).and_then(|before| kinds.get(before));
    let finds_by = |at: usize| {
        earlier
            .filter(|_| at > 0)
            .cloned()
            .unwrap_or_else(|| kind("email"))
    };
    let changes = spec.changes;
    let flag = || FieldPath::parse("flagged").unwrap();
    let mut store = Store {
        id: StoreId::parse(&format!("s{n}")).unwrap(),
        public_name: format!("{} {n}", spec.public_name),
        find: Vec::new(),
        yields: BTreeMap::new(),
        access: AccessRule {
            exclude: spec.exclude.into_iter().collect(),
        },
        deletion: changes.deletion,
        opt_out: OptOutRule::NoFlag,
        about: spec.about,
        residency: spec.residency,
        account: spec.account,
        sweep: None,
        copies: spec.copies,
        line: Line(1),
        place: spec.place,
    };
    let may_yield = yielded
        .zip(spec.yields)
        .map(|(kind, path)| (kind.clone(), path));
    let is_redacted = matches!(store.deletion, DeletionRule::Redact { .. });
    match &store.place {
        Place::DynamoDb(_) => {
            for (at, (query, index)) in spec.finds.into_iter().enumerate() {
                let kind = finds_by(at);
                let query = by(query, &kind);
                let how = match index {
                    Some((index, coverage)) => FindHow::Index {
                        index,
                        coverage,
                        query,
                    },
                    None => FindHow::Key(query),
                };
                store.find.push(Find {
                    kind,
                    how,
                    line: Line(1),
                });
            }
            store.yields = may_yield.into_iter().collect();
            if let Some(flags) = changes.flags {
                store.opt_out = OptOutRule::Set([(flag(), flags)].into());
            }
        }
        Place::S3Records(_) => {
            let how = match spec.hash {
                None => FindHow::Field(spec.field),
                hash @ Some(_) => FindHow::Columns(vec![Column {
                    kind: kind("email"),
                    field: spec.field,
                    hash,
                }]),
            };
            store.find.push(Find {
                kind: kind("email"),
                how,
                line: Line(1),
            });
            store.yields = may_yield.into_iter().collect();
            store.sweep = spec.sweep;
        }
        Place::S3Objects(_) => {
            store.access = AccessRule::default();
            if is_redacted {
                store.deletion = DeletionRule::DeleteItem;
            }
        }
        Place::Attested(_) => {
            store.copies = BTreeMap::new();
            store.access = AccessRule::default();
            store.account = None;
            store.opt_out = OptOutRule::Attest;
            if is_redacted {
                store.deletion = DeletionRule::DeleteItem;
            }
        }
    }
    store
}
