//! Tests of the data map as a whole; generated maps are in `generated`, orders in `graphs`.

mod csv;
mod generated;
mod graphs;
mod modes;
mod render;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::*;
use crate::manifest::KeyValue;

pub(super) fn kind(text: &str) -> IdentifierKind {
    IdentifierKind::parse(text).unwrap()
}

pub(super) fn value(text: &str) -> IdentifierValue {
    Normalise::Exact.apply(text).unwrap()
}

fn example() -> DataMap {
    DataMap::parse(&golden("example.yaml")).unwrap()
}

fn golden_path(name: &str) -> PathBuf {
    Path::new("../../tests/golden/data_map").join(name)
}

fn golden(name: &str) -> String {
    let path = golden_path(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares with a golden file; `UPDATE_GOLDEN=1` writes it anew.
fn assert_golden(name: &str, found: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch for tests, not a setting"
    )]
    let is_update = std::env::var_os("UPDATE_GOLDEN").is_some();
    if is_update {
        std::fs::write(golden_path(name), found).unwrap();
    }
    assert_eq!(
        found,
        golden(name),
        "{name}: UPDATE_GOLDEN=1 writes it anew"
    );
}

/// A map with these stores, and the least of everything else.
fn with_stores(stores: &str) -> String {
    format!(
        "version: 1\n\
         controller: {{ id: shop, name: Shop, contact: privacy@example.test, role: controller }}\n\
         identifiers:\n  email: {{ normalise: email }}\n  customer_id: {{ normalise: exact }}\n\
         stores:\n{stores}"
    )
}

/// One table's store with these extra lines.
fn table(extra: &str) -> String {
    with_stores(&format!(
        "  - id: customers\n    public_name: Customers\n    dynamodb: {{ table: customers }}\n    \
         find: [ {{ email: {{ index: by_email, key: email, coverage: complete }} }} ]\n{extra}"
    ))
}

fn problems(text: &str) -> Vec<String> {
    let Err(Problems(problems)) = DataMap::parse(text) else {
        panic!("this is right:\n{text}")
    };
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn more_stores_than_a_receipt_can_show_are_told_by_line() {
    let stores = |count: usize| {
        let store = |n| {
            format!(
                "  - id: s{n}\n    public_name: S{n}\n    dynamodb: {{ table: table-{n} }}\n    \
                 find: [ {{ email: {{ index: by_email, key: email, coverage: complete }} }} ]\n"
            )
        };
        with_stores(&(0..count).map(store).collect::<String>())
    };
    assert_eq!(DataMap::parse(&stores(200)).unwrap().stores.len(), 200);
    let told = problems(&stores(203));
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        told[0],
        "line 807: stores[200]: one store more than the 200 that fit into a receipt; put stores of one \
         kind together"
    );
}

#[test]
fn a_name_that_no_receipt_could_show_is_told_by_line() {
    let long = "n".repeat(81);
    let text = table("").replace("public_name: Customers", &format!("public_name: {long}"));
    let expected =
        "stores[0].public_name: is longer than the 80 characters that fit into a receipt";
    assert_eq!(problems(&text), [format!("line 8: {expected}")]);
    let text = table("").replace("name: Shop", &format!("name: {long}"));
    let expected = "controller.name: is longer than the 80 characters that fit into a receipt";
    assert_eq!(problems(&text), [format!("line 2: {expected}")]);
}

#[test]
fn the_example_is_right_and_warns_of_nothing() {
    let map = example();
    assert_eq!(map.warnings(), vec![]);
    assert_eq!(map.stores.len(), 6);
    assert_eq!(map.asked_kinds(), vec![kind("email"), kind("phone")]);
    assert_eq!(map.provable_kinds(), vec![kind("email")]);
    let ids = |names: &[&str]| -> Vec<StoreId> {
        names
            .iter()
            .map(|name| StoreId::parse(name).unwrap())
            .collect()
    };
    let waves = [
        ids(&["crm", "customers"]),
        ids(&["avatars", "invoices", "support"]),
        ids(&["events"]),
    ];
    assert_eq!(map.waves(), waves);
    assert_eq!(map.wave_of(&StoreId::parse("events").unwrap()), Some(2));
    assert_eq!(map.wave_of(&StoreId::parse("nowhere").unwrap()), None);
}

#[test]
fn the_example_says_what_it_seems_to_say() {
    let map = example();
    let store = |id: &str| map.store(&StoreId::parse(id).unwrap()).unwrap();
    let customers = store("customers");
    assert_eq!(customers.line.0, 19);
    assert_eq!(customers.finds_by().len(), 3);
    let FindHow::Key(query) = &customers.find[1].how else {
        panic!("{:?}", customers.find[1])
    };
    assert_eq!(
        query.partition(&value("42")),
        Some(KeyValue::S("CUSTOMER#42".to_owned()))
    );
    assert_eq!(
        query.sort.as_ref().unwrap().test,
        SortTest::Equals("PROFILE".to_owned())
    );
    let FindHow::Key(numeric) = &store("support").find[0].how else {
        panic!("no key")
    };
    assert_eq!(
        numeric.partition(&value("42")),
        Some(KeyValue::N("42".to_owned()))
    );
    assert_eq!(numeric.partition(&value("42; drop")), None);
    let DeletionRule::Redact { fields: masks, .. } = &store("support").deletion else {
        panic!("no redaction")
    };
    let masks: Vec<(&str, Mask)> = masks
        .iter()
        .map(|(path, mask)| (path.as_str(), *mask))
        .collect();
    assert_eq!(
        masks,
        [
            ("message.attachment", Mask::Remove),
            ("name", Mask::Fixed),
            ("phone", Mask::Null)
        ]
    );
    assert_eq!(
        store("avatars").finds_by().into_iter().collect::<Vec<_>>(),
        [kind("customer_id")]
    );
    assert_eq!(store("avatars").deletion, DeletionRule::DeleteItem);
    assert_eq!(store("events").sweep, Some(Sweep { every_minutes: 360 }));
    assert_eq!(store("crm").opt_out, OptOutRule::Attest);
    assert!(store("crm").is_attested());
}

#[test]
fn broken_maps_name_every_problem_by_line() {
    for name in [
        "everything",
        "circle",
        "not_yaml",
        "anchors",
        "a_list",
        "empty",
    ] {
        let text = golden(&format!("broken/{name}.yaml"));
        let Err(problems) = DataMap::parse(&text) else {
            panic!("{name} is right")
        };
        assert_golden(&format!("broken/{name}.txt"), &format!("{problems}\n"));
    }
}

#[test]
fn the_documents_example_is_the_tested_one() {
    let text = std::fs::read_to_string("../../docs/DATA_MAP.md").unwrap();
    let (_, after) = text.split_once("```yaml data-map\n").expect("an example");
    let (example, _) = after.split_once("```").expect("its end");
    assert_eq!(example, golden("example.yaml"));
}

/// Data maps are pinned by this digest in plans and receipts: it may not change by accident.
#[test]
fn the_digest_of_the_example_stays() {
    let map = example();
    let mut lines = format!("data map {}\n", map.digest());
    for store in &map.stores {
        writeln!(lines, "{} {}", store.id, store.digest()).unwrap();
    }
    assert_golden("example.digests_v1.txt", &lines);
}

#[test]
fn comments_and_the_order_of_keys_and_stores_do_not_change_the_digest() {
    let one = with_stores(
        "  - { id: a, public_name: A, attested: { by: x, within: 1d } }\n  \
         - { id: b, public_name: B, attested: { by: y, within: 2w } }\n",
    );
    let other = with_stores(
        "  # moved\n  - { attested: { within: 14d, by: y }, public_name: B, id: b }\n  \
         - { id: a, public_name: \"A\", attested: { by: x, within: 1d } }\n",
    );
    let changed = one.replace("by: x", "by: z");
    let digest = |text: &str| DataMap::parse(text).unwrap().digest();
    assert_eq!(digest(&one), digest(&other));
    assert_ne!(digest(&one), digest(&changed));
}

#[test]
fn a_deletion_rule_that_is_left_out_deletes() {
    assert_eq!(
        DataMap::parse(&table("")).unwrap().stores[0],
        DataMap::parse(&table("    deletion: delete_item\n"))
            .unwrap()
            .stores[0],
    );
}

#[test]
fn what_dynamodb_would_refuse_is_refused_here() {
    let redact = |masks: &str| table(&format!("    deletion: {{ redact: {{ {masks} }} }}\n"));
    assert!(problems(&redact("email: null"))[0].contains("must keep its type; use remove"));
    assert!(problems(&redact("a: mask, a.b: remove"))[0].contains("a.b: overlaps a"));
    assert!(problems(&redact("\"a[].b\": mask, \"a[0].b\": null"))[0].contains("overlaps a[]"));
    assert!(problems(&redact("name:"))[0].ends_with("expected text, found nothing"));
    assert!(
        DataMap::parse(&redact(
            "email: remove, \"list[0].x\": mask, \"list[1].y[]\": null"
        ))
        .is_ok()
    );
    assert!(problems(&redact("\"mails[]\": take_out"))[0].contains("does not hold what the items"));
    assert!(problems(&redact("mails: take_out"))[0].contains("write [] after its name"));
    let set = table("    opt_out: { set: { email: none } }\n");
    assert!(problems(&set)[0].contains("by which subjects are found"));
}

#[test]
fn a_table_may_be_searched_by_any_field_at_a_price() {
    let by = |find: &str| {
        let place = "dynamodb: { table: customers }";
        with_stores(&format!(
            "  - {{ id: a, public_name: A, {place}, find: [ {{ email: {find} }} ] }}\n"
        ))
    };
    let map = DataMap::parse(&by("{ field: \"mails[].address\" }")).unwrap();
    assert!(matches!(&map.stores[0].find[0].how, FindHow::Field(_)));
    let warnings: Vec<String> = map.warnings().iter().map(ToString::to_string).collect();
    assert!(
        warnings
            .iter()
            .any(|text| text.contains("the whole table is read, in sweeps")),
        "{warnings:?}"
    );
    let swept = |find: &str| format!("{}    sweep: {{ every: 6h }}\n", table_by(find));
    assert!(DataMap::parse(&swept("{ field: mail }")).is_ok());
    let by_key = problems(&swept("{ key: pk }"));
    assert!(by_key[0].contains("nothing is swept"), "{by_key:?}");
    assert!(problems(&by("{ field: mail, key: pk }"))[0].contains("make two entries"));
    assert!(problems(&by("{}"))[0].contains("or field: to read the whole table"));
}

/// A table that is found in this way.
fn table_by(find: &str) -> String {
    with_stores(&format!(
        "  - id: a\n    public_name: A\n    dynamodb: {{ table: customers }}\n    find: [ {{ email: {find} }} ]\n"
    ))
}

/// A store of rows that is found in these ways.
fn rows(find: &str) -> String {
    with_stores(&format!(
        "  - id: events\n    public_name: Events\n    \
         s3: {{ bucket: lake, prefix: events/, format: jsonl }}\n    find: [ {find} ]\n"
    ))
}

#[test]
fn rows_are_found_by_hashes_and_by_tuples() {
    let map = DataMap::parse(&rows(
        "{ email: { field: mail, hash: sha256_hex } }, \
         { customer_id: { field: id }, email: { field: mail, hash: sha256_base64 } }",
    ))
    .unwrap();
    let [single, tuple] = map.stores[0].find.as_slice() else {
        panic!("two ways")
    };
    assert_eq!(single.columns()[0].hash, Some(Hash::Sha256Hex));
    assert_eq!(tuple.kind, kind("customer_id"));
    let hashes: Vec<_> = tuple.columns().iter().map(|column| column.hash).collect();
    assert_eq!(
        hashes,
        [None, Some(Hash::Sha256Base64)],
        "in the order of the text"
    );
}

#[test]
fn a_tuple_leads_nowhere_until_all_of_it_is_known() {
    let alone = rows("{ customer_id: { field: id }, email: { field: mail } }");
    assert!(problems(&alone)[0].contains("nothing leads to events"));
    let table = "  - { id: a, public_name: A, dynamodb: { table: customers }, \
                 find: [ { email: { key: pk } } ], yields: { customer_id: id } }\n";
    let map = DataMap::parse(&format!("{alone}{table}")).unwrap();
    assert_eq!(map.wave_of(&StoreId::parse("events").unwrap()), Some(1));
}

#[test]
fn a_hash_is_read_in_either_case_and_with_or_without_its_end() {
    let digest = Digest::of(b"ann@example.org");
    let hex = digest.to_string();
    assert_eq!(Hash::Sha256Hex.read(&hex), Some(digest));
    assert_eq!(Hash::Sha256Hex.read(&hex.to_uppercase()), Some(digest));
    assert_eq!(Hash::Sha256Hex.read(&hex[1..]), None);
    let base64 = data_encoding::BASE64.encode(digest.as_bytes());
    assert_eq!(Hash::Sha256Base64.read(&base64), Some(digest));
    assert_eq!(
        Hash::Sha256Base64.read(base64.trim_end_matches('=')),
        Some(digest)
    );
    assert_eq!(Hash::Sha256Base64.read(&hex), None);
}

#[test]
fn names_are_those_that_aws_takes() {
    for bucket in [
        "ab",
        "Media",
        "a_b",
        "-ab",
        "a..b",
        "192.168.0.1",
        "xn--a",
        "x-s3alias",
        "a b",
    ] {
        assert!(!names::is_bucket(bucket), "{bucket}");
    }
    assert!(names::is_bucket("example-media.2024"));
    assert!(
        names::is_table("Customer.Table_2-b") && !names::is_table("ab") && !names::is_table("a/b")
    );
    assert!(names::is_region("us-gov-west-1") && names::is_region("eu-central-1"));
    assert!(!names::is_region("eu-central") && !names::is_region("EU-central-1"));
    assert!(names::is_role("arn:aws:iam::123456789012:role/a/b"));
    for role in [
        "arn:aws:iam::1:role/a",
        "arn:aws:sts::123456789012:role/a",
        "arn:aws:iam::123456789012:user/a",
    ] {
        assert!(!names::is_role(role), "{role}");
    }
}

#[test]
fn lengths_of_time_are_whole_and_positive() {
    assert_eq!(names::days("2w"), Some(14));
    assert_eq!(names::minutes("6h"), Some(360));
    for text in [
        "",
        "d",
        "0d",
        "-1d",
        "1.5d",
        "01d",
        "1",
        "1x",
        "99999999d",
        "400d",
        "1é",
    ] {
        assert_eq!(names::days(text), None, "{text}");
    }
    assert_eq!(names::minutes("5m"), None);
    assert_eq!(names::period("300y"), None);
}

#[test]
fn retention_ends_by_the_calendar() {
    let accepted: Timestamp = "2024-02-29T12:00:00Z".parse().unwrap();
    let ends = |text: &str| {
        let rule = format!("    deletion: {{ retain: {{ basis: tax_law, until: {text} }} }}\n");
        let map = DataMap::parse(&table(&rule)).unwrap();
        let DeletionRule::Retain(Retention { until, .. }) = &map.stores[0].deletion else {
            panic!("{text}")
        };
        until.ends_at(accepted).map(|end| end.to_string())
    };
    assert_eq!(ends("1y").as_deref(), Some("2025-02-28T12:00:00Z"));
    assert_eq!(ends("1m").as_deref(), Some("2024-03-29T12:00:00Z"));
    assert_eq!(ends("90d").as_deref(), Some("2024-05-29T12:00:00Z"));
    assert_eq!(ends("2031-12-31").as_deref(), Some("2032-01-01T00:00:00Z"));
    assert_eq!(ends("indefinite"), None);
    let odd = table("    deletion: { retain: { basis: tax_law, until: 2031-13-31 } }\n");
    assert!(problems(&odd)[0].contains("write a day such as 2031-12-31"));
}

#[test]
fn an_identifier_cannot_reach_other_peoples_objects() {
    let prefix = KeyTemplate::parse("avatars/{customer_id}/").unwrap();
    assert_eq!(
        prefix.fill(&value("42")),
        Ok(FilledKey::Prefix("avatars/42/".to_owned()))
    );
    let exact = KeyTemplate::parse("invoices/{customer_id}.pdf").unwrap();
    assert_eq!(
        exact.fill(&value("42")),
        Ok(FilledKey::Exact("invoices/42.pdf".to_owned()))
    );
    for unsafe_value in ["..", ".", "a/b", "/", "42/../43", &"x".repeat(250)] {
        let template = if unsafe_value.len() > 200 {
            KeyTemplate::parse(&format!("{}/{{customer_id}}/", "p".repeat(1000))).unwrap()
        } else {
            prefix.clone()
        };
        assert_eq!(
            template.fill(&value(unsafe_value)),
            Err(UnsafeValue),
            "{unsafe_value}"
        );
    }
    let bare = KeyTemplate::parse("{customer_id}").unwrap();
    assert!(!bare.is_prefix());
    for text in [
        "avatars/", "{a}/{b}", "/a/{b}/", "{a", "a}", "{}", "{A}", "{{a}}", "*/{a}", "{a}\n",
    ] {
        assert!(KeyTemplate::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_path_is_read_as_it_is_written() {
    let path = FieldPath::parse("contacts[].phones[12].number").unwrap();
    let name = |name: &str| Segment::Name(name.to_owned());
    assert_eq!(
        path.segments(),
        [
            name("contacts"),
            Segment::Each,
            name("phones"),
            Segment::At(12),
            name("number")
        ]
    );
    assert_eq!(path.to_string(), "contacts[].phones[12].number");
    assert_eq!(path.root(), "contacts");
    for text in [
        "", ".", "a.", "a..b", "[0]", "a[", "a]", "a[x]", "a[01]", "a[0]b", " a", "a\n", "a[+1]",
    ] {
        assert_eq!(FieldPath::parse(text), None, "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_are_told_by_line() {
    let Err(problems) = DataMap::parse_bytes(b"version: 1\n\xff") else {
        panic!("no text")
    };
    assert_eq!(
        problems.to_string(),
        "line 2: byte 12 is not UTF-8; save the file as UTF-8"
    );
    assert!(DataMap::parse_bytes(golden("example.yaml").as_bytes()).is_ok());
}

#[test]
fn size_and_depth_are_bounded() {
    assert!(problems(&" ".repeat(1024 * 1024 + 1))[0].contains("larger than 1 MiB"));
    assert!(problems(&"[".repeat(10_000))[0].starts_with("line 1: "));
    assert!(problems(&"- ".repeat(10_000))[0].contains("nested deeper"));
    let keys: Vec<String> = (0..2000).map(|n| format!("k{n}: 1")).collect();
    assert!(problems(&keys.join("\n"))[0].contains("more keys"));
}

#[test]
fn no_message_repeats_control_characters() {
    let odd = table("    \"a\\e[31mred\\r\": 1\n    residency: \"\\0\"\n");
    for message in problems(&odd) {
        assert!(!message.chars().any(char::is_control), "{message:?}");
    }
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let text = "version: 1\n\
        controller: { id: shop, name: Shop, contact: privacy@example.test, role: processor }\n\
        identifiers:\n\
        \x20 phone: { normalise: phone }\n\
        \x20 badge: { normalise: exact }\n\
        \x20 spare: { normalise: exact }\n\
        stores:\n\
        \x20 - id: doors\n\
        \x20   public_name: Doors\n\
        \x20   dynamodb: { table: doors }\n\
        \x20   find:\n\
        \x20     - phone: { index: by_phone, key: phone, coverage: partial }\n\
        \x20     - badge: { index: by_badge, key: badge, coverage: partial }\n\
        \x20   deletion: { retain: { basis: safety } }\n\
        \x20   account: { role_arn: \"arn:aws:iam::123456789012:role/dsr\" }\n";
    let warnings: Vec<String> = DataMap::parse(text)
        .unwrap()
        .warnings()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_golden("warnings.txt", &format!("{}\n", warnings.join("\n")));
}

#[test]
fn no_debug_output_shows_an_identifier() {
    let filled = KeyTemplate::parse("a/{customer_id}/")
        .unwrap()
        .fill(&value("canary-7f3"))
        .unwrap();
    assert_eq!(format!("{filled:?}"), "Prefix(***)");
}
