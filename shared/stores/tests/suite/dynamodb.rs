//! Finding and reading items.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use quittance_core::outcome::CheckMethod;
use quittance_core::request::Right;
use quittance_core::subject::{IdentifierKind, IdentifierValue};
use quittance_engine::ports::StoreReader as _;
use quittance_engine::record::{Datum, Record};

use crate::world::{EMAIL, World, ask, at, identifiers, item, number, store, text};

#[tokio::test]
async fn every_page_of_a_key_query_is_read_to_the_end_beyond_one_megabyte() {
    let world = World::start().await;
    world.table("orders", &["pk:S", "sk:S"], &[]).await;
    let ballast = "x".repeat(60_000);
    for n in 0..30 {
        for owner in ["USER#1", "USER#12"] {
            let key = [("pk", text(owner)), ("sk", text(&format!("ORDER#{n:03}")))];
            let mut order = item(&key);
            order.insert("note".to_owned(), text(&ballast));
            world.put("orders", order).await;
        }
    }
    let store = store(
        "dynamodb: { table: orders }
         find: [ { customer_id: { key: pk, value: \"USER#{customer_id}\" } } ]
         deletion: delete_item",
    );
    let who = identifiers(&[("customer_id", "1")]);
    let found = world
        .search(ask(&store, &who, Right::Deletion))
        .await
        .unwrap();
    assert_eq!(found.matches.len(), 30);
    assert_eq!(found.places().len(), 30);
    assert_eq!(found.method, CheckMethod::Key);
    assert!(found.places().contains(&at("USER#1", "ORDER#029")));

    let world = world.paged(7);
    let again = world
        .search(ask(&store, &who, Right::Deletion))
        .await
        .unwrap();
    assert_eq!(again.places(), found.places());
    assert!(again.pages >= 4, "{} pages", again.pages);
}

#[tokio::test]
async fn every_page_of_an_index_is_read_to_the_end() {
    let world = World::start().await.paged(4);
    world
        .table("customers", &["pk:S"], &[("by_email", &["email:S"])])
        .await;
    for n in 0..23 {
        let key = format!("c{n:02}");
        world
            .put(
                "customers",
                item(&[("pk", text(&key)), ("email", text(EMAIL))]),
            )
            .await;
        let other = item(&[
            ("pk", text(&format!("o{n}"))),
            ("email", text("bob@example.test")),
        ]);
        world.put("customers", other).await;
    }
    let store = store(BY_EMAIL);
    let who = identifiers(&[("email", EMAIL)]);
    let found = world
        .search(ask(&store, &who, Right::Access))
        .await
        .unwrap();
    assert_eq!(found.places().len(), 23);
    assert_eq!(found.matches.len(), 23);
    assert_eq!(found.method, CheckMethod::IndexQuery);
    assert!(found.pages >= 6, "{} pages", found.pages);
}

#[tokio::test]
async fn a_partial_index_is_backed_by_a_scan_of_every_segment() {
    let world = World::start().await.paged(3);
    world
        .table(
            "customers",
            &["pk:S"],
            &[("by_email", &["email:S", "since:S"])],
        )
        .await;
    for n in 0..120 {
        let mut row = item(&[
            ("pk", text(&format!("c{n:03}"))),
            ("email", text("bob@example.test")),
        ]);
        if n % 10 == 0 {
            // Without `since` the item is not in the index; every other one is spelled otherwise.
            let spelled = if n % 20 == 0 {
                EMAIL.to_owned()
            } else {
                EMAIL.to_uppercase()
            };
            row.insert("email".to_owned(), text(&spelled));
        }
        world.put("customers", row).await;
    }
    let store = store(
        "dynamodb: { table: customers }
         find: [ { email: { index: by_email, key: email, coverage: partial } } ]
         deletion: delete_item",
    );
    let who = identifiers(&[("email", EMAIL)]);
    let found = world
        .search(ask(&store, &who, Right::Deletion))
        .await
        .unwrap();
    assert_eq!(found.matches.len(), 12);
    assert_eq!(found.places().len(), 12);
    assert_eq!(found.method, CheckMethod::Scan);

    let nobody = identifiers(&[("email", "nobody@example.test")]);
    let nothing = world
        .search(ask(&store, &nobody, Right::Deletion))
        .await
        .unwrap();
    assert!(nothing.matches.is_empty());
    assert_eq!(nothing.method, CheckMethod::Scan);
}

#[tokio::test]
async fn an_item_is_found_once_however_many_ways_lead_to_it() {
    let world = World::start().await.paged(1);
    let indexes: [(&str, &[&str]); 2] = [("by_email", &["email:S"]), ("by_phone", &["phone:S"])];
    world.table("customers", &["pk:S"], &indexes).await;
    let phone = "+15147214711";
    for pk in ["1", "2", "3"] {
        let row = [
            ("pk", text(pk)),
            ("email", text(EMAIL)),
            ("phone", text(phone)),
        ];
        world.put("customers", item(&row)).await;
    }
    let store = store(
        "dynamodb: { table: customers }
         find:
         - email: { index: by_email, key: email, coverage: complete }
         - phone: { index: by_phone, key: phone, coverage: complete }
         - customer_id: { key: pk }
         deletion: delete_item",
    );
    let who = identifiers(&[("email", EMAIL), ("phone", phone), ("customer_id", "1")]);
    let found = world
        .search(ask(&store, &who, Right::Deletion))
        .await
        .unwrap();
    assert_eq!(found.matches.len(), 3);
    assert_eq!(found.places().len(), 3);
}

#[tokio::test]
async fn sort_keys_numbers_and_templates_narrow_a_key() {
    let world = World::start().await;
    world.table("single", &["pk:S", "sk:S"], &[]).await;
    for sk in ["PROFILE", "PROFILE#OLD", "ORDER#1", "ORDER#2", "INVOICE#1"] {
        world
            .put("single", item(&[("pk", text("USER#7")), ("sk", text(sk))]))
            .await;
    }
    world.table("ledger", &["pk:N"], &[]).await;
    world.put("ledger", item(&[("pk", number("7"))])).await;
    world.put("ledger", item(&[("pk", number("70"))])).await;
    let who = identifiers(&[("customer_id", "7")]);

    let with_sort = |sort: &str| {
        store(&format!(
            "dynamodb: {{ table: single }}
             find: [ {{ customer_id: {{ key: pk, value: \"USER#{{customer_id}}\", {sort} }} }} ]
             deletion: delete_item"
        ))
    };
    let orders = with_sort("sort: { key: sk, begins_with: \"ORDER#\" }");
    let found = world
        .search(ask(&orders, &who, Right::Access))
        .await
        .unwrap();
    assert_eq!(
        found.places(),
        [at("USER#7", "ORDER#1"), at("USER#7", "ORDER#2")].into()
    );
    let profile = with_sort("sort: { key: sk, equals: PROFILE }");
    let found = world
        .search(ask(&profile, &who, Right::Access))
        .await
        .unwrap();
    assert_eq!(found.places(), [at("USER#7", "PROFILE")].into());
    // What a rule does not cover is not this store's to read, whoever names it.
    let invoice = at("USER#7", "INVOICE#1");
    let read = world
        .stores
        .read(ask(&orders, &who, Right::Access), &invoice)
        .await
        .unwrap();
    assert!(read.is_none());

    let ledger = store(
        "dynamodb: { table: ledger }
         find: [ { customer_id: { key: pk, type: number } } ]
         deletion: delete_item",
    );
    let found = world
        .search(ask(&ledger, &who, Right::Access))
        .await
        .unwrap();
    assert_eq!(found.matches.len(), 1);
    let letters = identifiers(&[("customer_id", "seven")]);
    let found = world
        .search(ask(&ledger, &letters, Right::Access))
        .await
        .unwrap();
    assert!(found.matches.is_empty());
}

#[tokio::test]
async fn what_an_index_says_is_read_again_on_the_table() {
    let world = World::start().await;
    world
        .table("customers", &["pk:S"], &[("by_email", &["email:S"])])
        .await;
    let bobs = item(&[("pk", text("2")), ("email", text("bob@example.test"))]);
    world.put("customers", bobs).await;
    world
        .put(
            "customers",
            item(&[("pk", text("3")), ("email", text(EMAIL))]),
        )
        .await;
    // The index lags: it still has Bob's item under Ann's address, and one that is gone.
    let stale = |pk: &str| format!(r#"{{"pk":{{"S":"{pk}"}},"email":{{"S":"{EMAIL}"}}}}"#);
    let body = format!(
        r#"{{"Items":[{},{},{}],"Count":3}}"#,
        stale("1"),
        stale("2"),
        stale("3")
    );
    world.wire.answer("Query", 1, 200, &body);
    let store = store(BY_EMAIL);
    let who = identifiers(&[("email", EMAIL)]);
    let found = world
        .search(ask(&store, &who, Right::Deletion))
        .await
        .unwrap();
    assert_eq!(found.places(), [at("3", "")].into());
    assert!(world.wire.is_played());
}

#[tokio::test]
async fn reserved_words_are_names_like_any_other() {
    let world = World::start().await;
    world
        .table("odd", &["name:S", "date:S"], &[("by_value", &["value:S"])])
        .await;
    let row = [
        ("name", text("7")),
        ("date", text("2026")),
        ("value", text(EMAIL)),
    ];
    world.put("odd", item(&row)).await;
    let store = store(
        "dynamodb: { table: odd }
         find:
         - email: { index: by_value, key: value, coverage: complete }
         - customer_id: { key: name, sort: { key: date, begins_with: \"20\" } }
         deletion: delete_item",
    );
    for who in [
        identifiers(&[("email", EMAIL)]),
        identifiers(&[("customer_id", "7")]),
    ] {
        let found = world
            .search(ask(&store, &who, Right::Access))
            .await
            .unwrap();
        assert_eq!(found.matches.len(), 1);
    }
}

#[tokio::test]
async fn every_type_keeps_its_value_and_excluded_fields_stay_behind() {
    let world = World::start().await;
    world.table("customers", &["pk:S"], &[]).await;
    let digits = "12345678901234567890123456789012345678";
    let phone = |number: &str, hash: &str| {
        AttributeValue::M(item(&[("number", text(number)), ("hash", text(hash))]))
    };
    let row = item(&[
        ("pk", text("1")),
        ("points", number(digits)),
        (
            "scores",
            AttributeValue::Ns(vec!["1".to_owned(), digits.to_owned()]),
        ),
        (
            "tags",
            AttributeValue::Ss(vec!["a".to_owned(), "b".to_owned()]),
        ),
        ("blob", AttributeValue::B(Blob::new([0, 255, 1]))),
        ("gone", AttributeValue::Null(true)),
        ("active", AttributeValue::Bool(false)),
        (
            "phones",
            AttributeValue::L(vec![phone("1", "x"), phone("2", "y")]),
        ),
        ("password", text("secret")),
    ]);
    world.put("customers", row).await;
    let store = store(
        "dynamodb: { table: customers }
         find: [ { customer_id: { key: pk } } ]
         access: { exclude: [password, \"phones[0].hash\"] }
         deletion: delete_item",
    );
    let who = identifiers(&[("customer_id", "1")]);
    let read = world
        .stores
        .read(ask(&store, &who, Right::Access), &at("1", ""))
        .await
        .unwrap();
    let Some(Record::Item(read)) = read else {
        panic!("no item")
    };
    let names: Vec<&str> = read.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "active", "blob", "gone", "phones", "pk", "points", "scores", "tags"
        ]
    );
    assert!(read["points"] == Datum::Number(digits.to_owned()));
    let Datum::Set(scores) = &read["scores"] else {
        panic!("no set")
    };
    assert!(scores.len() == 2 && scores.contains(&Datum::Number(digits.to_owned())));
    assert!(read["blob"] == Datum::Bytes(vec![0, 255, 1]));
    assert!(read["gone"] == Datum::Null && read["active"] == Datum::Bool(false));
    let Datum::List(phones) = &read["phones"] else {
        panic!("no list")
    };
    let names: Vec<Vec<&str>> = phones
        .iter()
        .map(|phone| {
            let Datum::Map(fields) = phone else {
                panic!("no map")
            };
            fields.keys().map(String::as_str).collect()
        })
        .collect();
    assert_eq!(names, [vec!["number"], vec!["hash", "number"]]);
    // Another subject's item is not read, nor one that is gone.
    let other = identifiers(&[("customer_id", "2")]);
    for (who, pk) in [(&other, "1"), (&other, "2")] {
        let read = world
            .stores
            .read(ask(&store, who, Right::Access), &at(pk, ""))
            .await
            .unwrap();
        assert!(read.is_none());
    }
}

#[tokio::test]
async fn what_is_found_yields_identifiers_in_their_one_spelling() {
    let world = World::start().await;
    world.table("customers", &["pk:S"], &[]).await;
    let mails = [
        "Second@Example.TEST".to_owned(),
        "not an address".to_owned(),
    ];
    let row = item(&[
        ("pk", text("1")),
        ("id", number("0042")),
        ("mails", AttributeValue::Ss(mails.to_vec())),
    ]);
    world.put("customers", row).await;
    let store = store(
        "dynamodb: { table: customers }
         find: [ { customer_id: { key: pk } } ]
         yields: { customer_id: id, email: mails }
         deletion: delete_item",
    );
    let who = identifiers(&[("customer_id", "1")]);
    let found = world
        .search(ask(&store, &who, Right::Access))
        .await
        .unwrap();
    let yields = &found.matches[0].yields;
    let of = |kind: &str| -> Vec<&str> {
        yields
            .of(&IdentifierKind::parse(kind).unwrap())
            .map(IdentifierValue::expose)
            .collect()
    };
    assert_eq!(of("customer_id"), ["42"]);
    assert_eq!(of("email"), ["second@example.test"]);
}

/// Customers by an index that holds everyone.
const BY_EMAIL: &str = "dynamodb: { table: customers }
    find: [ { email: { index: by_email, key: email, coverage: complete } } ]
    deletion: delete_item";
