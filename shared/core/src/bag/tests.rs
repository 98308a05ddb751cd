//! The bag as a whole is tested from outside, with other people's tools; here its parts.

use super::*;
use crate::audit::{Auditor, Period};

fn empty() -> BTreeMap<String, Vec<u8>> {
    let audit = Auditor::follow(Vec::new(), &[], "log").finish(Period::default());
    let log = BTreeMap::from([("checkpoint".to_owned(), b"note".to_vec())]);
    pack(&Contents {
        packed_on: Day::parse("2026-11-25").unwrap(),
        software: "quittance <1>",
        policy: "quorum none\n",
        log: &log,
        receipts: &BTreeMap::new(),
        timestamps: &BTreeMap::from([("a.receipt.tsr".to_owned(), vec![0x30])]),
        timeline: &["{}".to_owned()],
        audit: &audit,
    })
}

#[test]
fn every_file_is_under_a_digest_and_the_counts_are_right() {
    let bag = empty();
    let text = |name: &str| String::from_utf8(bag[name].clone()).unwrap();
    let (payload, tags) = (text("manifest-sha256.txt"), text("tagmanifest-sha256.txt"));
    for (path, bytes) in &bag {
        let line = format!("{}  {path}\n", Digest::of(bytes));
        let listed = payload.contains(&line) || tags.contains(&line);
        assert_eq!(listed, path != "tagmanifest-sha256.txt", "{path}");
    }
    let data = bag.iter().filter(|(path, _)| path.starts_with("data/"));
    let (count, octets) = data.fold((0, 0), |(n, sum), (_, bytes)| (n + 1, sum + bytes.len()));
    assert!(text("bag-info.txt").contains(&format!("Payload-Oxum: {octets}.{count}\n")));
    assert_eq!(text("bagit.txt"), BAGIT);
    assert_eq!(text("data/timeline.jsonl"), "{}\n");
    assert_eq!(bag["data/timestamps/a.receipt.tsr"], [0x30]);
}

#[test]
fn the_page_escapes_and_loads_nothing() {
    let page = String::from_utf8(empty().remove("data/index.html").unwrap()).unwrap();
    assert!(page.contains("quittance &lt;1&gt;"));
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("http:"));
    assert!(page.ends_with("</html>\n"));
}
