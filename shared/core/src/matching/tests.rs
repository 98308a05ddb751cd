//! Sets against a naive oracle, in every form in which both sides can be known.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::{BASE64, HEXUPPER};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::data_map::{FieldPath, Find, FindHow, Hash, Line};
use crate::subject::{
    Identifier, Identifiers, Normalise, suppression_token, suppression_token_of_hash,
};

fn kind(text: &str) -> IdentifierKind {
    IdentifierKind::parse(text).unwrap()
}

fn rule(normalise: Normalise) -> IdentifierRule {
    IdentifierRule {
        normalise,
        asked: true,
        many: true,
        region: None,
        line: Line(1),
    }
}

fn rules() -> BTreeMap<IdentifierKind, IdentifierRule> {
    let ways = Normalise::ALL.map(|normalise| (kind(normalise.name()), rule(normalise)));
    ways.into_iter().collect()
}

fn find(columns: &[(&str, Option<Hash>)]) -> Find {
    let columns: Vec<Column> = columns
        .iter()
        .map(|(name, hash)| Column {
            kind: kind(name),
            field: FieldPath::parse(name).unwrap(),
            hash: *hash,
        })
        .collect();
    Find {
        kind: columns[0].kind.clone(),
        how: FindHow::Columns(columns),
        line: Line(1),
    }
}

fn hashed(hash: Hash, text: &str) -> String {
    let digest = Digest::of(text.as_bytes());
    match hash {
        Hash::Sha256Hex => HEXUPPER.encode(digest.as_bytes()),
        Hash::Sha256Base64 => BASE64.encode(digest.as_bytes()),
    }
}

/// The members found by the exact question; the quick one must not have said no.
fn found(set: &MatchSet, rule: usize, texts: &[&str]) -> Vec<u32> {
    let rule = &set.rules()[rule];
    let mut members = Members::default();
    set.members(rule, texts, &mut members);
    let quick = set.may_match(rule, texts);
    assert!(
        quick || members.is_empty(),
        "the quick look misses {texts:?}"
    );
    members.as_slice().to_vec()
}

fn identifiers(values: &[(&str, &str)]) -> Identifiers {
    let rules = rules();
    values
        .iter()
        .map(|(name, raw)| Identifier {
            kind: kind(name),
            value: rules[&kind(name)].normalise(raw).unwrap(),
        })
        .collect()
}

/// Texts that are often the same one in another spelling.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[aA][nN]?[1-3]?@(EXAMPLE|example|b\u{fc}cher|B\u{dc}CHER|xn--bcher-kva)\\.org",
        "[ ]?(\\+49|0049)[ -]?(030|\\(0\\)30|30)[ /]?1234567[0-3]",
        "[ ]?[0-3aA\u{e4}\u{c4}]{1,2}[ ]?",
        select(vec!["0", "", "false", "true", " ", "-1"]).prop_map(str::to_owned),
        "\\PC{0,12}",
    ]
}

/// How one side knows an identifier.
#[derive(Clone, Copy, Debug)]
enum Known {
    Text,
    Hash,
    Token,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_set_finds_what_a_loop_over_everybody_finds(
        normalise in select(Normalise::ALL.to_vec()),
        members in prop::collection::vec(
            (0_u32..6, texts(), select(vec![Known::Text, Known::Hash, Known::Token])), 0..20),
        only_texts in any::<bool>(),
        column in prop::option::of(select(vec![Hash::Sha256Hex, Hash::Sha256Base64])),
        rows in prop::collection::vec(texts(), 1..20),
    ) {
        let name = normalise.name();
        let key = HmacKey::new([7; 32]);
        let rules = rules();
        let mut builder = MatchSetBuilder::new(&[find(&[(name, column)])], &rules, members.len())
            .unwrap()
            .with_token_key(&key);
        let kinds = [kind(name)];
        let mut known: Vec<(u32, String)> = Vec::new();
        for (member, raw, how) in members {
            let Ok(normal) = spelling::normal(&rules[&kinds[0]], &raw) else {
                prop_assert!(builder.add_texts(member, &kinds, &[&raw]).is_err());
                continue;
            };
            let hash = Digest::of(normal.as_bytes());
            match how {
                _ if only_texts => builder.add_texts(member, &kinds, &[&raw]).unwrap(),
                Known::Text => builder.add_texts(member, &kinds, &[&raw]).unwrap(),
                Known::Hash => builder.add_hash(member, &kinds, &hash).unwrap(),
                Known::Token => {
                    let token = suppression_token_of_hash(&key, &kinds[0], &hash);
                    builder.add_token(member, &kinds[0], &token).unwrap();
                }
            }
            known.push((member, normal));
        }
        let set = builder.build();
        for row in rows {
            let normal = spelling::normal(&rules[&kinds[0]], &row);
            let naive: BTreeSet<u32> = known
                .iter()
                .filter(|(_, text)| normal.as_ref() == Ok(text))
                .map(|(member, _)| *member)
                .collect();
            let asked = match (column, &normal) {
                (None, _) => row.clone(),
                (Some(hash), Ok(normal)) => hashed(hash, normal),
                (Some(_), Err(_)) => continue,
            };
            prop_assert_eq!(found(&set, 0, &[&asked]), naive.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn tuples_match_as_a_whole(
        members in prop::collection::vec((0_u32..4, "[ab0 ]{0,2}", "[xX0]{0,2}", any::<bool>()), 0..12),
        rows in prop::collection::vec(("[ab0]{0,2}", "[xX0]{0,2}"), 1..12),
        column in prop::option::of(select(vec![Hash::Sha256Hex, Hash::Sha256Base64])),
    ) {
        let finds = [find(&[("exact", None), ("lower", column)])];
        let kinds = [kind("exact"), kind("lower")];
        let mut builder = MatchSetBuilder::new(&finds, &rules(), 0).unwrap();
        let mut known = Vec::new();
        for (member, exact, lower, as_hash) in members {
            let normal = (exact.trim().to_owned(), lower.to_lowercase());
            if as_hash {
                let parts = [&normal.0, &normal.1].map(|text| Digest::of(text.as_bytes()));
                builder.add_hash(member, &kinds, &identity::joined(&parts)).unwrap();
            } else {
                builder.add_texts(member, &kinds, &[&exact, &lower]).unwrap();
            }
            known.push((member, normal));
        }
        let set = builder.build();
        for (exact, lower) in rows {
            let normal = (exact.trim().to_owned(), lower.to_lowercase());
            let naive: BTreeSet<u32> = known
                .iter()
                .filter(|(_, known)| *known == normal)
                .map(|(member, _)| *member)
                .collect();
            let asked = column.map_or(lower.clone(), |hash| hashed(hash, &normal.1));
            prop_assert_eq!(found(&set, 0, &[&exact, &asked]), naive.into_iter().collect::<Vec<_>>());
        }
    }
}

#[test]
fn falsy_values_are_values() {
    let mut builder = MatchSetBuilder::new(&[find(&[("exact", None)])], &rules(), 3).unwrap();
    for (member, text) in [(0, "0"), (1, ""), (2, "false")] {
        builder
            .add_texts(member, &[kind("exact")], &[text])
            .unwrap();
    }
    let set = builder.build();
    assert_eq!(found(&set, 0, &["0"]), [0]);
    assert_eq!(found(&set, 0, &[""]), [1]);
    assert_eq!(found(&set, 0, &["false"]), [2]);
    assert_eq!(found(&set, 0, &["00"]), Vec::<u32>::new());
}

#[test]
fn a_member_is_found_by_every_tuple_of_what_is_known_of_it() {
    let finds = [
        find(&[("exact", None), ("email", None)]),
        find(&[("email", None)]),
    ];
    let mut builder = MatchSetBuilder::new(&finds, &rules(), 2).unwrap();
    let known = [("exact", "1"), ("exact", "2"), ("email", "ann@example.org")];
    builder.add(7, &identifiers(&known)).unwrap();
    builder.add(8, &identifiers(&known[1..])).unwrap();
    builder.add(9, &identifiers(&[("exact", "1")])).unwrap();
    let set = builder.build();
    assert_eq!(found(&set, 0, &["1", "Ann@Example.ORG"]), [7]);
    assert_eq!(found(&set, 0, &["2", "ann@example.org"]), [7, 8]);
    assert_eq!(found(&set, 1, &["ann@example.org"]), [7, 8]);
    assert_eq!(found(&set, 0, &["3", "ann@example.org"]), Vec::<u32>::new());
}

#[test]
fn kinds_are_kept_apart() {
    let finds = [find(&[("exact", None)]), find(&[("lower", None)])];
    let mut builder = MatchSetBuilder::new(&finds, &rules(), 1).unwrap();
    builder.add(1, &identifiers(&[("exact", "42")])).unwrap();
    let set = builder.build();
    assert_eq!(found(&set, 0, &["42"]), [1]);
    assert_eq!(found(&set, 1, &["42"]), Vec::<u32>::new());
}

#[test]
fn a_suppression_token_finds_the_row_it_was_made_of() {
    let key = HmacKey::new([1; 32]);
    let ann = identifiers(&[("email", "ann@example.org")]);
    let value = ann.of(&kind("email")).next().unwrap();
    let mut builder = MatchSetBuilder::new(&[find(&[("email", None)])], &rules(), 1)
        .unwrap()
        .with_token_key(&key);
    let token = suppression_token(&key, &kind("email"), value);
    builder.add_token(3, &kind("email"), &token).unwrap();
    let set = builder.build();
    assert_eq!(found(&set, 0, &[" ANN@example.org"]), [3]);
    assert_eq!(found(&set, 0, &["bob@example.org"]), Vec::<u32>::new());
}

#[test]
fn what_cannot_be_compared_is_refused_with_advice() {
    let undeclared = MatchSetBuilder::new(&[find(&[("exact", None)])], &BTreeMap::new(), 0);
    assert_eq!(
        undeclared.err(),
        Some(MatchError::Undeclared(kind("exact")))
    );
    let mut builder = MatchSetBuilder::new(&[find(&[("exact", None)])], &rules(), 0).unwrap();
    let other = builder.add_hash(0, &[kind("email")], &Digest::of(b""));
    assert!(
        other
            .unwrap_err()
            .to_string()
            .contains("add one to the data map")
    );
    let no_key = builder.add_token(0, &kind("exact"), &HmacKey::new([0; 32]).tag("a", &[]));
    assert!(no_key.is_err(), "there is no key to compare tokens with");
    let many: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let many: Vec<(&str, &str)> = many
        .iter()
        .flat_map(|text| [("exact", text.as_str()), ("lower", text.as_str())])
        .collect();
    let finds = [find(&[("exact", None), ("lower", None)])];
    let mut builder = MatchSetBuilder::new(&finds, &rules(), 0).unwrap();
    let refused = builder.add(0, &identifiers(&many));
    assert_eq!(refused, Err(MatchError::TooManyTuples { limit: 1024 }));
}

#[test]
fn no_debug_output_shows_an_identifier() {
    let mut builder = MatchSetBuilder::new(&[find(&[("exact", None)])], &rules(), 1).unwrap();
    builder
        .add(0, &identifiers(&[("exact", "canary-7f3")]))
        .unwrap();
    assert!(!format!("{builder:?}").contains("canary"));
    assert!(!format!("{:?}", builder.build()).contains("canary"));
}

#[test]
fn a_set_is_shared_among_threads() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<MatchSet>();
}
