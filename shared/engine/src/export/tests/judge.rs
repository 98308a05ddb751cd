//! Packages judged from outside: golden files, and Python's own ZIP, JSON, CSV and HTML readers.

use std::path::Path;
use std::process::Command;

use super::*;

/// Three stores of a music shop's customer.
pub(super) fn music_shop() -> Vec<StoreExport> {
    let number = |digits: &str| Datum::Number(digits.to_owned());
    let mut customers = store(
        "Customer account",
        vec![item(&[
            ("CustomerId", number("2")),
            ("FirstName", text("Leonie")),
            ("LastName", text("Köhler")),
            ("Address", text("Theodor-Heuss-Straße 34")),
            ("City", text("Stuttgart")),
            ("Country", text("Germany")),
            ("PostalCode", text("70174")),
            ("Phone", text("+49 0711 2842222")),
            ("Email", text("leonekohler@surfeu.de")),
            (
                "PasswordHash",
                text("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"),
            ),
            (
                "Payment",
                Datum::Map(map(&[
                    ("method", text("direct debit")),
                    ("iban", text("DE89370400440532013000")),
                ])),
            ),
            ("Tags", Datum::Set(vec![text("newsletter"), text("vinyl")])),
            (
                "Note",
                text("Asked on the phone to debit DE89 3704 0044 0532 0130 00 instead."),
            ),
        ])],
    );
    customers.missing = vec![Missing::Excluded {
        fields: vec!["session_token".to_owned()],
    }];
    let mut invoices = store(
        "Invoices",
        [
            ("1", "2021-01-01", "1.98"),
            ("12", "2021-02-11", "13.86"),
            ("67", "2021-10-12", "8.91"),
        ]
        .map(|(id, date, total)| {
            item(&[
                ("InvoiceId", number(id)),
                ("InvoiceDate", text(date)),
                ("BillingCity", text("Stuttgart")),
                ("BillingCountry", text("Germany")),
                ("Total", number(total)),
            ])
        })
        .to_vec(),
    );
    invoices.about.purposes = vec!["contract".to_owned(), "tax_records".to_owned()];
    let avatars = store(
        "Profile pictures",
        vec![object(
            "avatars/2/leonie.png",
            "image/png",
            b"\x89PNG\r\n\x1a\n",
        )],
    );
    let mut notes = store("Support desk", vec![]);
    notes.missing = vec![Missing::Attested];
    vec![customers, invoices, avatars, notes]
}

/// `UPDATE_GOLDEN=1` writes the files anew.
#[test]
fn a_package_is_the_golden_one_file_by_file() {
    let folder = Path::new("../../tests/golden/export");
    let composed = composed_by("Chinook Music", music_shop());
    let mut files = unzipped(&composed.zip);
    let digest = format!("{}\n", Digest::of(&composed.zip));
    files.insert("package.zip.sha256".to_owned(), digest.into_bytes());
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch for tests, not a setting"
    )]
    let update = std::env::var("UPDATE_GOLDEN").is_ok();
    for (path, body) in files {
        let golden = folder.join(&path);
        if update {
            std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
            std::fs::write(&golden, &body).unwrap();
        }
        let expected = std::fs::read(&golden)
            .unwrap_or_else(|error| panic!("{path}: {error}; UPDATE_GOLDEN=1 writes it"));
        assert!(
            body == expected,
            "{path} is not the golden one; UPDATE_GOLDEN=1 writes it anew"
        );
    }
}

#[test]
fn python_reads_the_package_and_finds_every_digest_right() {
    let hostile = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>";
    let mut stores = music_shop();
    let odd = item(&[("html", text(hostile)), (hostile, text("=1+1\r\n\"a\",b"))]);
    stores.push(store("Odd things", vec![odd]));
    assert_eq!(judged_by_python(&composed(stores).zip), "sound: 13 files");
}

#[test]
fn more_files_than_a_plain_zip_can_count_are_readable() {
    let names: Vec<String> = (0..66_000).map(|n| format!("{n:05}")).collect();
    let zip = archive::write(names.iter().map(|name| (name.as_str(), &b""[..]))).unwrap();
    let count = "import sys, zipfile; print(len(zipfile.ZipFile(sys.argv[1]).namelist()))";
    assert_eq!(asked_of_python(count, &zip), "66000");
}

fn judged_by_python(zip: &[u8]) -> String {
    asked_of_python(JUDGE, zip)
}

fn asked_of_python(program: &str, zip: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("package.zip");
    std::fs::write(&path, zip).unwrap();
    let output = Command::new("python3")
        .args(["-c", program])
        .arg(&path)
        .output()
        .expect("python3 judges packages: install it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const JUDGE: &str = r##"
import csv, hashlib, html.parser, io, json, sys, zipfile
package = zipfile.ZipFile(sys.argv[1])
assert package.testzip() is None
names = package.namelist()
assert names == sorted(names) and len(set(names)) == len(names)
assert {i.date_time for i in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
assert {i.external_attr for i in package.infolist()} == {0o100644 << 16}
assert all(n.isascii() and not n.startswith("/") and ".." not in n for n in names)
manifest = json.loads(package.read("manifest.json"))
listed = {f["path"]: f for f in manifest["files"]}
assert set(listed) | {"manifest.json"} == set(names)
for name, entry in listed.items():
    body = package.read(name)
    assert hashlib.sha256(body).hexdigest() == entry["sha256"] and len(body) == entry["bytes"]
    if name.startswith("data/") and name.endswith(".json"):
        assert len(json.loads(body)["records"]) == entry["records"]
    if name.endswith(".csv"):
        text = body.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        assert len(rows) == entry["records"] + 1 and len({len(r) for r in rows}) == 1
        assert not any(c[:1] in "=+@\t\r" for r in rows for c in r if c)
class Page(html.parser.HTMLParser):
    def handle_starttag(self, tag, attrs):
        assert tag not in {"script", "img", "link", "iframe", "object", "svg", "form"}, tag
        for key, value in attrs:
            assert not key.startswith("on"), key
            assert key != "href" or value.startswith("#") or value in names, value
for name in names:
    if name.endswith(".html"):
        Page().feed(package.read(name).decode())
print(f"sound: {len(names)} files")
"##;
