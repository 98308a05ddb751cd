//! Tables that must be read as a whole, read once for everybody.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use quittance_core::data_map::Store;
use quittance_core::digest::{Digest, Tag};
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::Match;
use quittance_core::request::Right;
use quittance_core::subject::Identifiers;
use quittance_core::sweep::ObjectRef;
use quittance_engine::ports::{RecordReader as _, Roster, Searched, Wanted};

use crate::world::{EMAIL, World, ask, identifiers, item, number, store, text};

fn roster(members: Vec<Identifiers>) -> Roster {
    Roster {
        tag: Tag::from(Digest::of(b"a roster")),
        members,
    }
}

fn segment(number: usize, total: usize) -> ObjectRef {
    ObjectRef {
        key: format!("{number}/{total}"),
        version: None,
        noncurrent: false,
        etag: String::new(),
        bytes: 0,
    }
}

impl World {
    /// Goes over a table in so many segments; what was found of each member, in any order.
    async fn go_over(
        &self,
        store: &Store,
        roster: &Roster,
        total: usize,
    ) -> Result<(Vec<(u32, Match)>, Searched), Fault> {
        let mut located = Vec::new();
        let mut sum = Searched::default();
        for number in 0..total {
            let segment = segment(number, total);
            let searched = self
                .stores
                .search(store, &segment, roster, Wanted::Counts)
                .await?;
            assert!(searched.etag.is_some(), "a segment is never gone");
            assert!(searched.records.is_empty(), "items are read one by one");
            sum.matched.extend(searched.matched);
            located.extend(searched.located);
        }
        Ok((located, sum))
    }
}

/// Everything that decides whose an item is: fields in any spelling, in lists and maps, by several
/// kinds, numbers, a partial index, and the key.
const TANGLED: &str = "dynamodb: { table: tangled }
    find: [ { email: { field: contact.email } }, { email: { field: \"cc[]\" } }, \
    { phone: { field: phone } }, { customer_id: { index: by_owner, key: owner, coverage: partial } }, \
    { customer_id: { key: pk, value: \"USER#{customer_id}\" } } ]
    yields: { customer_id: owner }
    deletion: { redact: { note: mask } }";

fn tangled() -> Store {
    store(&TANGLED.replace("\\\n    ", ""))
}

/// Item `n` of the table, from a few people's values in any spelling.
fn anything(
    n: usize,
    random: &mut impl FnMut(usize) -> usize,
) -> Vec<(&'static str, AttributeValue)> {
    let person = |of: usize| format!("p{of}@example.test");
    let spelled = |of: usize, how: usize| match how {
        0 => person(of),
        1 => person(of).to_uppercase(),
        2 => format!(" {} ", person(of)),
        _ => format!("not {}", person(of)),
    };
    let mut fields = vec![("sk", text(&format!("{n:04}")))];
    fields.push(match random(3) {
        0 => ("pk", text(&format!("USER#{}", random(8)))),
        _ => ("pk", text(&format!("ITEM#{n}"))),
    });
    if random(2) == 0 {
        let email = text(&spelled(random(8), random(4)));
        let contact = [("email".to_owned(), email)].into();
        fields.push(("contact", AttributeValue::M(contact)));
    }
    if random(3) == 0 {
        let some = (0..random(4)).map(|_| spelled(random(8), random(4)));
        let some = some.collect::<BTreeSet<_>>();
        let list = some.iter().map(|email| text(email)).collect();
        fields.push(("cc", AttributeValue::L(list)));
    }
    match random(4) {
        0 => fields.push(("phone", text(&format!("+4930123456{}", random(8))))),
        1 => fields.push(("phone", text(&format!("+49 (30) 123-456{}", random(8))))),
        _ => {}
    }
    match random(4) {
        0 => fields.push(("owner", number(&random(8).to_string()))),
        1 => fields.push(("owner", number(&format!("{}.0", random(8))))),
        _ => {}
    }
    fields.push(("note", text(if random(2) == 0 { "***" } else { "hello" })));
    fields
}

#[tokio::test]
async fn one_pass_finds_for_everybody_what_a_search_for_each_finds() {
    let world = World::start().await;
    let owner: (&str, &[&str]) = ("by_owner", &["owner:N"]);
    world.table("tangled", &["pk:S", "sk:S"], &[owner]).await;
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    for n in 0..400 {
        world.put("tangled", item(&anything(n, &mut random))).await;
    }
    let store = tangled();
    // Some are known by one kind, some by all, one by nothing that finds here, two are one person.
    let mut members: Vec<Identifiers> = (0..8)
        .map(|n| {
            let email = format!("P{n}@Example.Test");
            let phone = format!("+49 30 123456{n}");
            let id = n.to_string();
            let all = [
                ("email", &*email),
                ("phone", &*phone),
                ("customer_id", &*id),
            ];
            identifiers(&all[..=n % 3])
        })
        .collect();
    members.push(Identifiers::default());
    members.push(members[2].clone());
    let roster = roster(members);
    let mut found_in_all = 0;
    for total in [1, 3, 17] {
        let (located, sum) = world.go_over(&store, &roster, total).await.unwrap();
        for (member, known) in (0..).zip(&roster.members) {
            let alone = world.search(ask(&store, known, Right::Deletion)).await;
            let mut alone = alone.unwrap().matches;
            let mut mine: Vec<Match> = located
                .iter()
                .filter(|(of, _)| *of == member)
                .map(|(_, found)| found.clone())
                .collect();
            alone.sort_by_key(|found| found.locator.clone());
            mine.sort_by_key(|found| found.locator.clone());
            assert!(
                mine == alone,
                "member {member}: {} and {}",
                mine.len(),
                alone.len()
            );
            let rows: u64 = sum
                .matched
                .iter()
                .filter(|rows| rows.member == member)
                .map(|rows| rows.rows)
                .sum();
            assert_eq!(rows, u64::try_from(mine.len()).unwrap());
            found_in_all += mine.len();
        }
        let shared = sum.matched.iter().map(|rows| rows.shared).sum::<u64>();
        assert!(shared > 0, "some items are several people's");
    }
    assert!(
        found_in_all > 300,
        "only {found_in_all} items were anybody's"
    );
    let debug = format!("{roster:?}");
    assert!(!debug.contains("example"), "{debug}");
}

#[tokio::test]
async fn a_table_is_listed_in_segments_and_every_page_of_one_is_read() {
    let world = World::start().await;
    world.table("tickets", &["pk:S"], &[]).await;
    let ballast = "x".repeat(300_000);
    for n in 0..12 {
        let from = if n % 3 == 0 {
            EMAIL
        } else {
            "other@example.test"
        };
        let fields = [
            ("pk", text(&n.to_string())),
            ("from", text(from)),
            ("b", text(&ballast)),
        ];
        world.put("tickets", item(&fields)).await;
    }
    let store = store(
        "dynamodb: { table: tickets }
         find: [ { email: { field: from } } ]
         deletion: delete_item",
    );
    let mut segments = Vec::new();
    let mut from = None;
    loop {
        let page = world.stores.objects(&store, from.as_ref()).await.unwrap();
        segments.extend(page.objects);
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    let roster = roster(vec![identifiers(&[("email", EMAIL)])]);
    let mut found = 0;
    for segment in &segments {
        let searched = world
            .stores
            .search(&store, segment, &roster, Wanted::Counts);
        let searched = searched.await.unwrap();
        found += searched.located.len();
    }
    assert_eq!(found, 4, "3.6 MB are four pages");
    // Members beyond what a filter holds.
    let crowd = (0..200).map(|n| identifiers(&[("email", &*format!("n{n}@example.test"))]));
    let crowd = crowd.chain([identifiers(&[("email", EMAIL)])]).collect();
    let roster = self::roster(crowd);
    let (located, _) = world.go_over(&store, &roster, 2).await.unwrap();
    assert_eq!(located.len(), 4);
    assert!(located.iter().all(|(member, _)| *member == 200));
}

#[tokio::test]
async fn a_table_that_is_not_there_blocks_and_a_foreign_segment_is_refused() {
    let world = World::start().await;
    let store = store(
        "dynamodb: { table: nowhere }
         find: [ { email: { field: from } } ]
         deletion: delete_item",
    );
    let missing = world.stores.objects(&store, None).await;
    assert!(
        matches!(missing, Err(Fault::Block(BlockReason::StoreMissing))),
        "{missing:?}"
    );
    let roster = roster(vec![identifiers(&[("email", EMAIL)])]);
    for key in ["", "1", "2/2", "a/b", "-1/3"] {
        let segment = ObjectRef {
            key: key.to_owned(),
            ..segment(0, 1)
        };
        let refused = world
            .stores
            .search(&store, &segment, &roster, Wanted::Counts);
        let refused = refused.await;
        assert!(
            matches!(refused, Err(Fault::Reject { .. })),
            "{key}: {refused:?}"
        );
    }
}
