//! What deletion may do beside deleting, the copies that it does not reach, and how much of a table it may use.

use super::*;

#[test]
fn modes_copies_and_budgets_are_read_as_they_are_written() {
    let map = |lines: &str| with_stores(&format!("  - id: a\n    public_name: A\n{lines}"));
    let right = map("    dynamodb: { table: groups, budget: { read: 5 } }
    find: [ { email: { field: \"contacts[].mail\" } } ]
    deletion: { redact: { \"contacts[]\": take_out, note: pseudonym }, retain: { basis: tax_law } }
    copies: { backup: 35d, replica: indefinite }
");
    let map_read = DataMap::parse(&right).unwrap();
    let store = &map_read.stores[0];
    let DeletionRule::Redact { fields, rest } = &store.deletion else {
        panic!("{:?}", store.deletion);
    };
    let masks: Vec<Mask> = fields.values().copied().collect();
    assert_eq!(masks, [Mask::TakeOut, Mask::Pseudonym]);
    assert_eq!(rest.as_ref().unwrap().basis.as_str(), "tax_law");
    assert!(store.deletion.pseudonymises());
    assert_eq!(store.copies.len(), 2);
    let table = |place: &str, lines: &str| {
        problems(&map(&format!(
            "    dynamodb: {{ table: groups{place} }}\n    find: [ {{ email: {{ key: pk }} }} ]\n{lines}"
        )))
    };
    for (place, lines, says) in [
        (
            ", budget: { read: 0 }",
            "",
            "capacity units per second, 1 to 1000000",
        ),
        (", budget: {}", "", "says nothing; add read: or write:"),
        ("", "    copies: { tape: 7y }\n", "unknown key"),
        (
            "",
            "    copies: { backup: 2031-12-31 }\n",
            "write how long one lasts",
        ),
        (
            "",
            "    deletion: { redact: { a: mask }, retain: { until: 1y } }\n",
            "add basis:",
        ),
    ] {
        let told = table(place, lines);
        assert!(told[0].contains(says), "{place}{lines}: {told:?}");
    }
    let rows = "    s3: { bucket: lake, prefix: e/, format: jsonl }
    find: [ { email: { field: mail } } ]
    deletion: { redact: { \"mails[]\": take_out } }
";
    assert!(problems(&map(rows))[0].contains("elements stay in their places"));
    let attested = "    attested: { by: team, within: 10d }\n    copies: { backup: 1y }\n";
    assert!(problems(&map(attested))[0].contains("leave copies out"));
}
