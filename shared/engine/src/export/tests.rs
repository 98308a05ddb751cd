//! Whole packages, read back by readers that share nothing with the writers.

mod json_reader;
mod judge;

use std::io::Read as _;

use proptest::prelude::*;

use super::*;
use crate::record::Datum;
use json_reader::{datum_of, read, records_of};

pub(super) fn about() -> About {
    About {
        source: "first_party".to_owned(),
        purposes: vec!["contract".to_owned(), "customer_support".to_owned()],
        categories: vec!["identity".to_owned()],
        recipients: vec!["payment processor".to_owned()],
        retention: Some("Ten years after the last invoice.".to_owned()),
        transfers: None,
    }
}

pub(super) fn store(public_name: &str, records: Vec<Record>) -> StoreExport {
    StoreExport {
        public_name: public_name.to_owned(),
        about: about(),
        residency: Some("eu".to_owned()),
        records,
        missing: vec![],
    }
}

pub(super) fn map(fields: &[(&str, Datum)]) -> BTreeMap<String, Datum> {
    fields
        .iter()
        .map(|(name, datum)| ((*name).to_owned(), datum.clone()))
        .collect()
}

pub(super) fn item(fields: &[(&str, Datum)]) -> Record {
    Record::Item(map(fields))
}

pub(super) fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

pub(super) fn object(key: &str, media_type: &str, bytes: &[u8]) -> Record {
    Record::Object {
        key: key.to_owned(),
        version: Some("v1".to_owned()),
        media_type: media_type.to_owned(),
        bytes: bytes.to_vec(),
    }
}

fn composed(stores: Vec<StoreExport>) -> Composed {
    composed_by("Example Shop", stores)
}

fn composed_by(name: &str, stores: Vec<StoreExport>) -> Composed {
    let controller = Controller {
        id: "example-shop".to_owned(),
        role: quittance_core::data_map::Role::Controller,
        name: name.to_owned(),
        contact: "privacy@example.test".to_owned(),
        time_zone: None,
        authority: None,
        automated_decisions: None,
    };
    let reference = quittance_core::id::RequestId::new([9; 16]).reference();
    let package = Package {
        reference: &reference,
        controller: &controller,
        generated_on: "2026-11-23T09:00:00Z".parse().unwrap(),
        locale: Locale::En,
        stores,
    };
    compose(&package).unwrap()
}

fn unzipped(zip: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut file = archive.by_index(index).unwrap();
            let mut body = Vec::new();
            file.read_to_end(&mut body).unwrap();
            (file.name().unwrap().into_owned(), body)
        })
        .collect()
}

fn file(composed: &Composed, path: &str) -> String {
    String::from_utf8(unzipped(&composed.zip).remove(path).unwrap()).unwrap()
}

/// The tags of a page without what stands between them.
fn skeleton(page: &str) -> Vec<&str> {
    page.split('<')
        .skip(1)
        .map(|part| part.split_once('>').unwrap().0)
        .collect()
}

/// Names of letters that spell nothing on the never-disclose list.
fn name() -> impl Strategy<Value = String> {
    "[abx$.\\\\\"<&é =]{0,6}"
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[1-9][0-9]{0,37}",
        "-?0\\.[0-9]{1,37}",
        "[1-9]E[+-]1[0-2][0-9]",
        "NaN|\\+1|=1"
    ]
}

fn datum() -> impl Strategy<Value = Datum> {
    let leaf = prop_oneof![
        Just(Datum::Null),
        any::<bool>().prop_map(Datum::Bool),
        number().prop_map(Datum::Number),
        any::<String>().prop_map(Datum::Text),
        "[=+@'-][ab\r\n\",]{0,3}".prop_map(Datum::Text),
        proptest::collection::vec(any::<u8>(), 0..9).prop_map(Datum::Bytes),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Datum::List),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Datum::Set),
            proptest::collection::btree_map(name(), inner, 0..4).prop_map(Datum::Map),
        ]
    })
}

fn items() -> impl Strategy<Value = Vec<BTreeMap<String, Datum>>> {
    let fields = proptest::collection::btree_map(name(), datum(), 0..5);
    proptest::collection::vec(fields, 1..4)
}

proptest! {
    // A package is some twenty writers in a row: fewer cases than usual, each worth more.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_records_read_back_from_json_exactly(items in items()) {
        let records = items.iter().cloned().map(Record::Item).collect();
        let composed = composed(vec![store("Things", records)]);
        prop_assert!(composed.withheld.is_empty());
        let json = file(&composed, "data/things.json");
        let read_back: Vec<Datum> = records_of(&read(&json)).iter().map(datum_of).collect();
        let expected: Vec<Datum> = items.into_iter().map(Datum::Map).collect();
        prop_assert!(read_back == expected, "{json}");
    }

    #[test]
    fn any_records_read_back_from_csv_cell_by_cell(items in items()) {
        let records: Vec<Record> = items.into_iter().map(Record::Item).collect();
        let source = store("Things", records);
        let shown = ShownStore::of(&source, "things".to_owned());
        let rows = shown.rows(usize::MAX);
        let columns = table::columns(&rows);
        let bytes = table::csv(&rows).unwrap();

        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
        let mut lines = reader.records().map(|line| line.unwrap());
        let header = lines.next().unwrap();
        for (written, column) in header.iter().zip(&columns) {
            prop_assert!(written == table::defused(column));
        }
        for (line, row) in lines.by_ref().zip(&rows) {
            for (written, column) in line.iter().zip(&columns) {
                let cell = row.get(*column).map_or("", table::Cell::as_str);
                let is_text = matches!(row.get(*column), Some(table::Cell::Text(_)));
                let runs = written.starts_with(['=', '+', '-', '@', '\t', '\r']);
                prop_assert!(!(runs && is_text), "{written:?} would run");
                prop_assert!(written == cell || written.strip_prefix('\'') == Some(cell));
            }
        }
        prop_assert!(lines.next().is_none());
    }

    #[test]
    fn no_value_and_no_name_changes_the_tags_of_a_page(
        hostile in "[<>\"'&/=a-z\\x00-\\x20!-]{1,40}",
        benign in "[b-d]{3}",
    ) {
        let page = |word: &str| {
            let record = Record::Item([
                (format!("k{word}"), text(&format!("v{word}"))),
                ("list".to_owned(), Datum::List(vec![text(word)])),
            ].into());
            let mut part = store(&format!("S{word}"), vec![record]);
            part.about.purposes = vec![format!("p{word}")];
            part.missing = vec![
                Missing::Excluded { fields: vec![word.to_owned()] },
                Missing::Exempt { reason: word.to_owned(), records: 2 },
            ];
            let composed = composed_by(&format!("Shop {word}"), vec![part]);
            let slug = composed.files.iter().find(|f| f.media_type == CSV).unwrap();
            let slug = slug.path.trim_start_matches("data/").trim_end_matches(".csv").to_owned();
            let pages = ["index.html", "about-processing.html"].map(|path| {
                // The store's generated folder name is the one thing that tags may take from it.
                skeleton(&file(&composed, path))
                    .join("\n")
                    .replace(&format!("store-{slug}\""), "SLUG\"")
                    .replace(&format!("data/{slug}."), "SLUG.")
            });
            (pages, composed.withheld.is_empty())
        };
        let (shown, is_whole) = page(&hostile);
        // A name such as `cvv` is never disclosed, and that is announced.
        prop_assume!(is_whole);
        prop_assert_eq!(shown, page(&benign).0);
    }

    #[test]
    fn the_same_input_gives_the_same_bytes_in_any_order_of_stores(items in items()) {
        let parts = || {
            let records: Vec<Record> = items.iter().cloned().map(Record::Item).collect();
            vec![store("A", records.clone()), store("B", records), store("C", vec![])]
        };
        let mut reversed = parts();
        reversed.reverse();
        let first = composed(parts());
        prop_assert!(first.zip == composed(parts()).zip);
        prop_assert!(first.zip == composed(reversed).zip);
    }
}

#[test]
fn thirty_eight_digits_survive_as_a_json_number() {
    let digits = "12345678901234567890123456789012345678";
    let composed = composed(vec![store(
        "Meters",
        vec![item(&[("reading", Datum::Number(digits.to_owned()))])],
    )]);
    assert!(file(&composed, "data/meters.json").contains(&format!("\"reading\": {digits}\n")));
    assert!(file(&composed, "data/meters.csv").ends_with(&format!("reading\r\n{digits}\r\n")));
}

#[test]
fn a_genuine_name_is_never_taken_for_a_convention() {
    let inner = map(&[("$binary", text("AAAA"))]);
    let record = item(&[("$set", Datum::List(vec![])), ("$$", Datum::Map(inner))]);
    let composed = composed(vec![store("Odd", vec![record])]);
    let json = file(&composed, "data/odd.json");
    assert!(json.contains("\"$$set\": []"), "{json}");
    assert!(json.contains("\"$$$\": {"), "{json}");
    assert!(json.contains("\"$$binary\": \"AAAA\""), "{json}");
}

#[test]
fn a_negative_number_stays_a_number_and_a_formula_becomes_text() {
    let record = item(&[
        ("balance", Datum::Number("-5".to_owned())),
        ("name", text("=HYPERLINK(\"https://evil.test\")")),
        ("phone", text("+49 30 1234567")),
        ("=cmd", Datum::Bool(true)),
    ]);
    let csv = file(&composed(vec![store("T", vec![record])]), "data/t.csv");
    assert_eq!(
        csv,
        "\u{feff}'=cmd,balance,name,phone\r\n\
         true,-5,\"'=HYPERLINK(\"\"https://evil.test\"\")\",'+49 30 1234567\r\n"
    );
}

#[test]
fn every_digest_of_the_manifest_matches_and_every_file_is_listed() {
    let composed = composed(judge::music_shop());
    let files = unzipped(&composed.zip);
    let manifest = files.get("manifest.json").unwrap();
    assert_eq!(composed.manifest_sha256, Digest::of(manifest));
    let manifest: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    let listed = manifest["files"].as_array().unwrap();
    assert_eq!(listed.len() + 1, files.len());
    for entry in listed {
        let body = files.get(entry["path"].as_str().unwrap()).unwrap();
        assert_eq!(entry["sha256"], Digest::of(body).to_string());
        assert_eq!(entry["bytes"], body.len());
    }
    assert_eq!(composed.files.len(), files.len());
    for file in &composed.files {
        assert_eq!(file.sha256, Digest::of(files.get(&file.path).unwrap()));
    }
}

#[test]
fn nothing_on_the_list_is_in_any_file_and_each_kind_is_announced() {
    let secret = |n: u32| text(&format!("canary-{n:02}"));
    let record = item(&[
        ("ssn", Datum::Number("123456789".to_owned())),
        (
            "passport",
            Datum::Map(map(&[("number", secret(1)), ("country", text("DE"))])),
        ),
        (
            "cards",
            Datum::List(vec![Datum::Map(map(&[("cardNumber", secret(2))]))]),
        ),
        ("medicareNumber", secret(3)),
        ("passwordHash", Datum::Bytes(b"canary-04".to_vec())),
        ("security_answers", Datum::Set(vec![secret(5), secret(6)])),
        ("fingerprint_template", secret(7)),
        (
            "comment",
            text("please debit DE89 3704 0044 0532 0130 00 today"),
        ),
        ("misc", text("123-45-6789")),
        (
            "by_ssn",
            Datum::Map(map(&[
                ("987-65-4320", Datum::Null),
                ("219-09-9999", secret(8)),
            ])),
        ),
        ("4111 1111 1111 1111", text("a card as a name")),
        ("has_password", Datum::Bool(true)),
        ("password_changed_at", text("2026-01-01")),
    ]);
    let files = vec![
        object(
            "fingerprints/canary-09.wsq",
            "application/octet-stream",
            b"canary-10",
        ),
        object("chat/1.txt", "text/plain", b"my number is 219-09-9999, ok?"),
    ];
    let composed = composed(vec![store("Profile", vec![record]), store("Files", files)]);
    let all = unzipped(&composed.zip);
    let gone = [
        "canary-01",
        "canary-02",
        "canary-03",
        "canary-04",
        "canary-05",
        "canary-06",
        "canary-07",
        "canary-08",
        "canary-10",
        "Y2FuYXJ5LTA0",
        "123456789",
        "123-45-6789",
        "219-09-9999",
        "0532 0130",
        "4111 1111",
    ];
    for (path, body) in &all {
        let body = String::from_utf8_lossy(body);
        for secret in gone {
            assert!(!body.contains(secret), "{secret} in {path}");
        }
    }
    let kinds: BTreeSet<Kind> = composed
        .withheld
        .iter()
        .map(|one| one.notice.kind)
        .collect();
    assert_eq!(kinds.len(), 7, "every kind was met: {kinds:?}");
    let readme = String::from_utf8_lossy(all.get("README.txt").unwrap());
    let readme = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    let index = String::from_utf8_lossy(all.get("index.html").unwrap());
    for one in &composed.withheld {
        assert!(readme.contains(one.notice.what), "{}", one.notice.what);
        assert!(index.contains(one.notice.what), "{}", one.notice.what);
    }
    assert!(
        index.contains("2026-01-01"),
        "when a password changed is no password"
    );
    assert!(
        index.contains("DE"),
        "the country of a passport is not its number"
    );
    let json = String::from_utf8_lossy(all.get("data/profile.json").unwrap());
    assert!(json.contains("please debit [withheld: bank account number (11 CCR 7024(d))] today"));
    assert!(json.contains("\"category\": \"unique_biometric_data\""));
    assert!(json.contains("we hold this kind of data about you"));
    let counted: u64 = composed.withheld.iter().map(|one| one.count).sum();
    assert_eq!(counted, 16);
}

#[test]
fn a_stored_file_keeps_its_bytes_and_gets_a_name_of_ours() {
    let hostile = "avatars/../../<script>=cmd.exe";
    let objects = vec![
        object(hostile, "text/html", b"<script>alert(1)</script>"),
        object("a.png", "image/png", b"\x89PNG"),
    ];
    let composed = composed(vec![store("Avatars", objects)]);
    let files = unzipped(&composed.zip);
    assert_eq!(
        files.get("files/avatars/0001.txt").unwrap(),
        b"<script>alert(1)</script>"
    );
    assert_eq!(files.get("files/avatars/0002.png").unwrap(), b"\x89PNG");
    let page = String::from_utf8_lossy(files.get("index.html").unwrap());
    assert!(page.contains("href=\"files/avatars/0002.png\""));
    assert!(!page.contains("<script"));
    let json = String::from_utf8_lossy(files.get("data/avatars.json").unwrap());
    assert!(json.contains(hostile), "the original key is in the JSON");
    assert!(
        files
            .keys()
            .all(|path| !path.contains("..") && !path.contains('<'))
    );
}

#[test]
fn a_page_loads_nothing_and_its_style_is_the_one_its_policy_names() {
    let composed = composed(judge::music_shop());
    for path in ["index.html", "about-processing.html"] {
        let page = file(&composed, path);
        let style = page
            .split_once("<style>")
            .unwrap()
            .1
            .split_once("</style>")
            .unwrap()
            .0;
        let digest = data_encoding::BASE64.encode(Digest::of(style.as_bytes()).as_bytes());
        assert!(page.contains(&format!("default-src 'none'; style-src 'sha256-{digest}'")));
        assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"));
        for forbidden in [
            "<script", "<img", "<link", "<iframe", " style=", "http:", "https:", "url(",
        ] {
            assert!(!page.contains(forbidden), "{forbidden} in {path}");
        }
    }
}

#[test]
fn a_store_without_records_says_why_and_has_no_files() {
    let mut crm = store("Support notes", vec![]);
    crm.missing = vec![Missing::Attested];
    let mut orders = store("Orders", vec![]);
    orders.missing = vec![Missing::NothingFound];
    let composed = composed(vec![crm, orders]);
    assert_eq!(composed.files.len(), 4);
    let page = file(&composed, "index.html");
    assert!(page.contains("found nothing about you"));
    assert!(page.contains("confirmed in writing"));
    assert!(file(&composed, "manifest.json").contains("\"nothing_found\""));
}

#[test]
fn a_long_table_is_cut_on_the_page_and_whole_in_the_files() {
    let records = (0..700)
        .map(|n| item(&[("n", Datum::Number(n.to_string()))]))
        .collect();
    let composed = composed(vec![store("Events", records)]);
    let page = file(&composed, "index.html");
    assert!(page.contains("first 500 of 700 records"));
    assert_eq!(page.matches("<td").count(), 500);
    assert_eq!(file(&composed, "data/events.csv").lines().count(), 701);
}

#[test]
fn too_much_data_is_refused_with_its_size() {
    let mut parts = Parts {
        bytes: MAX_PACKAGE_BYTES - 1,
        ..Parts::default()
    };
    parts.add("a", TEXT, None, 0, vec![0]).unwrap();
    let error = parts.add("b", TEXT, None, 0, vec![0]).unwrap_err();
    assert_eq!(
        error,
        ExportError::TooLarge {
            bytes: MAX_PACKAGE_BYTES + 1
        }
    );
    assert_eq!(Fault::from(error), Fault::Block(BlockReason::TooLarge));
}

#[test]
fn debug_of_a_package_shows_no_value() {
    let part = store("Profile", vec![item(&[("name", text("Frank"))])]);
    assert!(!format!("{part:?}").contains("Frank"));
}
