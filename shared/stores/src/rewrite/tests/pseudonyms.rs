//! Fields that get a keyed pseudonym: the same value the same name, made once, and nothing of the
//! value left.

use quittance_core::digest::HmacKey;
use quittance_core::id::StoreId;

use super::parquet::{Person, decoded, looked, plain, rows, table, write};
use super::*;

pub(super) fn names() -> Pseudonyms {
    let store = StoreId::parse("events").unwrap();
    Pseudonyms::of_store(&HmacKey::new([9; 32]), &store)
}

pub(super) fn pseudonymised(fields: &[&str]) -> Masks {
    let fields = fields
        .iter()
        .map(|field| (FieldPath::parse(field).unwrap(), Mask::Pseudonym));
    Masks::new(fields.collect(), Some(names()))
}

fn check(source: Source, rows: &str, after: &str) {
    let who = set(&["id"], Normalise::Digits, &["7"]);
    let masks = pseudonymised(&["mail"]);
    let pass = |rows: &[u8], action| {
        let rewriter = Rewriter::new(source, Arc::clone(&who), action, Limits::default()).unwrap();
        run(rewriter, rows, &[5]).unwrap()
    };
    let done = pass(rows.as_bytes(), Action::Redact(masks.clone()));
    assert_eq!(String::from_utf8(done.bytes.clone()).unwrap(), after);
    let again = pass(&done.bytes, Action::Redact(masks.clone()));
    assert_eq!(
        (again.bytes, again.report.rows_changed),
        (done.bytes.clone(), 0)
    );
    let found = pass(&done.bytes, Action::Unmasked(masks.clone())).report;
    assert_eq!(found.rows_matched, 0, "nothing is left to do");
    // Whoever has no key counts the same, and can make none.
    let blind = Masks::from(masks.fields);
    let found = pass(rows.as_bytes(), Action::Unmasked(blind.clone())).report;
    assert_eq!(found.rows_matched, done.report.rows_changed);
    let found = pass(&done.bytes, Action::Unmasked(blind.clone())).report;
    assert_eq!(found.rows_matched, 0);
    let refused = Rewriter::new(source, who, Action::Redact(blind), Limits::default());
    assert!(matches!(refused, Err(RewriteError::NoKey)));
}

#[test]
fn rows_in_json_are_named_and_stay_apart() {
    let ann = names().of("Ann \"A\"");
    let one = names().of("1.50");
    check(
        source(NONE),
        "{\"id\":7,\"mail\":\"Ann \\\"A\\\"\"}\n{\"id\":7,\"mail\":\"Ann \\u0022A\\\"\", \"x\":1}\n\
         {\"id\":7,\"mail\":1.50}\n{\"id\":7,\"mail\":null}\n{\"id\":7,\"mail\":\"\"}\n{\"id\":7}\n\
         {\"id\":8,\"mail\":\"Ann\"}\n",
        &format!(
            "{{\"id\":7,\"mail\":\"{ann}\"}}\n{{\"id\":7,\"mail\":\"{ann}\", \"x\":1}}\n\
             {{\"id\":7,\"mail\":\"{one}\"}}\n{{\"id\":7,\"mail\":null}}\n{{\"id\":7,\"mail\":\"\"}}\n{{\"id\":7}}\n\
             {{\"id\":8,\"mail\":\"Ann\"}}\n"
        ),
    );
}

#[test]
fn rows_in_csv_are_named_and_stay_apart() {
    let ann = names().of("Ann");
    check(
        csv_source(NONE),
        "id,mail\n7,Ann\n7,\"Ann\"\n7,\n8,Ann\n",
        &format!("id,mail\n7,{ann}\n7,\"{ann}\"\n7,\n8,Ann\n"),
    );
}

#[test]
fn texts_get_pseudonyms_and_nothing_of_them_is_left() {
    let person = |id, mail| Person {
        id,
        mail: Some(mail),
        user: None,
        tags: None,
        old: vec![],
        four: None,
    };
    let people = [
        vec![person(1, "ann@x.test"), person(2, "bob@x.test")],
        vec![person(3, "ann@x.test")],
    ];
    let file = write(&people, &plain());
    let masks = pseudonymised(&["mail"]);
    let redact = Action::Redact(masks.clone());
    let (target, _) = parquet::rewritten(&file, &["mail"], &["ann@x.test"], redact).unwrap();
    let left = decoded(&target.bytes);
    assert!(memchr::memmem::find(&left, b"ann@x.test").is_none());
    let ann = &*names().of("ann@x.test").leak();
    let expected = [
        vec![person(1, ann), person(2, "bob@x.test")],
        vec![person(3, ann)],
    ];
    assert_eq!(rows(&target.bytes), rows(&write(&expected, &plain())));
    // By another column the rows are found again, and nothing is left to do.
    let unmasked = Action::Unmasked(masks);
    let (again, groups, _) = looked(&target.bytes, &["id"], &["1", "3"], unmasked).unwrap();
    assert_eq!((again.rows_matched, groups.len()), (0, 0));
    let blind = Masks::from(BTreeMap::from([(
        FieldPath::parse("mail").unwrap(),
        Mask::Pseudonym,
    )]));
    let refused = table(&file, &["mail"], &["a"], Action::Redact(blind)).unwrap_err();
    assert!(matches!(refused, RewriteError::NoKey));
}
