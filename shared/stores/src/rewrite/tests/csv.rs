//! CSV: what is found, what survives and how, and what is refused.

use quittance_core::fault::BlockReason;

use super::errors::at_line;
use super::*;

const ALL: [Compression; 4] = [NONE, GZIP, SNAPPY, ZSTD];

fn with(
    source: Source,
    object: &[u8],
    who: &Arc<MatchSet>,
    action: Action,
) -> Result<Done, RewriteError> {
    let rewriter = Rewriter::new(source, Arc::clone(who), action, Limits::default())?;
    run(rewriter, object, &[3])
}

fn csv(rows: &str, who: &Arc<MatchSet>, action: Action) -> Result<Done, RewriteError> {
    with(csv_source(NONE), rows.as_bytes(), who, action)
}

fn left(rows: &str, who: &Arc<MatchSet>) -> String {
    let done = csv(rows, who, Action::Drop).unwrap();
    String::from_utf8(done.bytes).unwrap()
}

fn headless(delimiter: Delimiter) -> Source {
    Source {
        format: RecordFormat::Csv(Dialect {
            delimiter,
            header: false,
        }),
        compression: NONE,
    }
}

fn masks(masks: &[(&str, Mask)]) -> BTreeMap<FieldPath, Mask> {
    let masks = masks.iter();
    masks
        .map(|(path, mask)| (FieldPath::parse(path).unwrap(), *mask))
        .collect()
}

#[test]
fn a_members_rows_go_and_every_other_byte_stays() {
    let rows = "\u{feff}id,\"user.email\",note\r\n\
                1,Ann@Example.org,\"a \"\"quoted\"\"\r\n, broken\n note\"\n\
                2,\"BOB@example.org\",\r\n\
                \r\n\
                3,\"ann@example.org\",\"\"\n\
                4,ann@example.org,";
    let who = set(&["user.email"], Normalise::Email, &["ann@example.org"]);
    for compression in ALL {
        let object = packed(compression, &[rows.as_bytes()]);
        let done = with(csv_source(compression), &object, &who, Action::Drop).unwrap();
        let left = "\u{feff}id,\"user.email\",note\r\n2,\"BOB@example.org\",\r\n\r\n";
        let bytes = unpacked(compression, &done.bytes);
        assert_eq!(String::from_utf8(bytes).unwrap(), left);
        let report = done.report;
        assert_eq!((report.rows_before, report.rows_after), (4, 1));
        assert_eq!((report.rows_matched, report.rows_changed), (3, 3));
        assert_eq!(report.bytes_unpacked, wide(rows.len()));
    }
}

#[test]
fn fields_are_texts_whatever_they_look_like() {
    let who = set(&["id"], Normalise::Exact, &["0", "", "false", "42"]);
    let rows = "id,x\n0,\n\"0\",\n,\n\"\",\nfalse,\n 42 ,\n00,\n42.0,\nnull,\nFALSE,\n4.2e1,\n";
    assert_eq!(
        left(rows, &who),
        "id,x\n00,\n42.0,\nnull,\nFALSE,\n4.2e1,\n"
    );
    let who = set(&["a.b", "c"], Normalise::Exact, &["x\"y", "l1,l2"]);
    let rows = " a.b , c \n\"x\"\"y\",1\nxy,1\n1,\"l1,l2\"\n1,l1\n";
    let rest = " a.b , c \nxy,1\n1,l1\n";
    assert_eq!(
        left(rows, &who),
        rest,
        "names without the blanks around them"
    );
}

#[test]
fn every_delimiter_and_no_header_at_all() {
    let who = set(&["2"], Normalise::Email, &["ann@example.org"]);
    for (delimiter, byte) in [
        (Delimiter::Comma, ","),
        (Delimiter::Pipe, "|"),
        (Delimiter::Semicolon, ";"),
        (Delimiter::Tab, "\t"),
    ] {
        let rows = "\u{feff}a|ann@example.org|\"|\"\nb|bob@example.org|,;\t\n".replace('|', byte);
        let rows = rows.replacen(",;\t", "\",;\t\"", 1);
        let done = with(headless(delimiter), rows.as_bytes(), &who, Action::Drop).unwrap();
        let (_, rest) = rows.split_once('\n').unwrap();
        // The mark is the file's, not the row's.
        assert_eq!(done.bytes, format!("\u{feff}{rest}").as_bytes());
        assert_eq!(done.report.rows_before, 2);
    }
}

#[test]
fn tuples_and_hashes_are_compared_as_in_other_rows() {
    let digest = quittance_core::digest::Digest::of(b"ann@example.org").to_string();
    let kinds = ["one", "two"].map(|name| IdentifierKind::parse(name).unwrap());
    let columns = [("mail", Some(Hash::Sha256Hex)), ("shop", None)];
    let columns = columns
        .iter()
        .zip(&kinds)
        .map(|((field, hash), kind)| Column {
            kind: kind.clone(),
            field: FieldPath::parse(field).unwrap(),
            hash: *hash,
        });
    let both = Find {
        kind: kinds[0].clone(),
        how: FindHow::Columns(columns.collect()),
        line: Line(1),
    };
    let rules = [Normalise::Email, Normalise::Lower].map(rule);
    let rules = kinds.clone().into_iter().zip(rules).collect();
    let mut builder = MatchSetBuilder::new(&[both], &rules, 1).unwrap();
    builder
        .add_texts(0, &kinds, &["Ann@example.org", "Berlin"])
        .unwrap();
    let who = Arc::new(builder.build());
    let row = |mail: &str, shop: &str| format!("{shop},{mail}\n");
    let rows = [
        row("mail", "shop"),
        row(&digest, "berlin"),
        row(&digest.to_uppercase(), "\"BERLIN \""),
        row(&digest, "bonn"),
        row("ann@example.org", "berlin"),
    ];
    let rest = [&rows[0][..], &rows[3], &rows[4]].concat();
    assert_eq!(left(&rows.concat(), &who), rest);
}

#[test]
fn only_the_masked_fields_change() {
    let who = set(&["id"], Normalise::Digits, &["7"]);
    let masks = masks(&[
        ("name", Mask::Fixed),
        ("phone", Mask::Null),
        ("notes", Mask::Remove),
    ]);
    let rows = "id,name,phone,notes,x\r\n\
                7,Ann,\"1\",\"a,\"\"b\",1.50\r\n\
                8,Bob,2,c,\"3\"\r\n\
                \"7\",\"***\",,\"\",5\n\
                7,***,\"\",,6\n\
                7,\"An,n\",,,";
    let after = "id,name,phone,notes,x\r\n\
                 7,***,\"\",\"\",1.50\r\n\
                 8,Bob,2,c,\"3\"\r\n\
                 \"7\",\"***\",,\"\",5\n\
                 7,***,\"\",,6\n\
                 7,\"***\",,,";
    let done = csv(rows, &who, Action::Redact(masks.clone().into())).unwrap();
    assert_eq!(String::from_utf8(done.bytes.clone()).unwrap(), after);
    let report = done.report;
    assert_eq!((report.rows_matched, report.rows_changed), (4, 2));
    assert_eq!((report.rows_before, report.rows_after), (5, 5));
    let again = csv(after, &who, Action::Redact(masks.clone().into())).unwrap();
    assert_eq!((again.bytes, again.report.rows_changed), (done.bytes, 0));
    let find = to_find(masks);
    assert_eq!(
        csv(after, &who, find.clone()).unwrap().report.rows_matched,
        0
    );
    assert_eq!(csv(rows, &who, find).unwrap().report.rows_matched, 2);
}

#[test]
fn a_single_column_that_is_emptied_is_still_a_row() {
    let who = set(&["1"], Normalise::Exact, &["ann"]);
    let redact = Action::Redact(masks(&[("1", Mask::Null)]).into());
    let source = headless(Delimiter::Comma);
    let done = with(source, "\u{feff}ann\nbob\n".as_bytes(), &who, redact).unwrap();
    assert_eq!(done.bytes, "\u{feff}\"\"\nbob\n".as_bytes());
}

#[test]
fn rows_are_handed_out_by_the_names_of_their_columns() {
    let who = set(&["mail"], Normalise::Email, &["ann@example.org"]);
    let rows = "n,mail,\"a \"\"b\"\"\",x, x,secret\n\
                1,bob@example.org,,,,\n\
                01.50,ann@example.org,\"q\"\"\n\u{1f600}\",1,2,s\n";
    let done = csv(rows, &who, Action::HandOut).unwrap();
    let [row] = done.rows.as_slice() else {
        panic!("{} rows", done.rows.len())
    };
    assert_eq!(row.line, 3);
    let json: serde_json::Value = serde_json::from_slice(&row.bytes).unwrap();
    let expected = serde_json::json!({
        "n": "01.50", "mail": "ann@example.org", "a \"b\"": "q\"\n\u{1f600}", "x": ["1", "2"],
        "secret": "s",
    });
    assert_eq!(json, expected);
    let excluded = [
        FieldPath::parse("secret").unwrap(),
        FieldPath::parse("x").unwrap(),
    ];
    let copy = Copier::new(&excluded, 8).unwrap().copy(&row.bytes).unwrap();
    let quittance_engine::record::Record::Item(fields) = copy else {
        panic!("no item")
    };
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["a \"b\"", "mail", "n"]);

    let who = set(&["1"], Normalise::Exact, &["a"]);
    let done = with(headless(Delimiter::Tab), b"a\tb\n", &who, Action::HandOut).unwrap();
    assert_eq!(done.rows[0].bytes, br#"{"1":"a","2":"b"}"#);
}

#[test]
fn the_header_stays_whatever_becomes_of_the_rows() {
    let who = set(&["id"], Normalise::Exact, &["1", "2"]);
    for compression in ALL {
        // It begins in one member and ends in the next.
        let parts: [&[u8]; 4] = [
            b"\xef\xbb\xbfid,\"na",
            b"me\"\n1,\"\n",
            b"\"\n2,x\n",
            b"2,y",
        ];
        let object = packed(compression, &parts);
        let done = with(csv_source(compression), &object, &who, Action::Drop).unwrap();
        let rest = "\u{feff}id,\"name\"\n";
        assert_eq!(unpacked(compression, &done.bytes), rest.as_bytes());
        assert_eq!((done.report.rows_before, done.report.rows_after), (3, 0));

        let nothing = with(csv_source(compression), b"", &who, Action::Drop).unwrap();
        assert_eq!(nothing.report, Report::default());
        for rows in ["id\n", "id", "\u{feff}", "\n\r\n", "\n\nid,x\n"] {
            let object = packed(compression, &[rows.as_bytes()]);
            let done = with(csv_source(compression), &object, &who, Action::Drop).unwrap();
            assert_eq!(unpacked(compression, &done.bytes), rows.as_bytes());
            assert_eq!(done.report.rows_before, 0, "{rows:?}");
        }
    }
}

#[test]
fn long_pieces_without_a_match_can_be_copied_by_s3() {
    let row = |n: usize| format!("{n},\"{}\n\"\n", "x".repeat(1000));
    let rows: String = (0..3_000).map(row).collect();
    let rows = format!("id,pad\n{rows}");
    let who = set(&["id"], Normalise::Exact, &["1500", "2999"]);
    let limits = Limits {
        untouched_bytes: 1_000_000,
        ..Limits::default()
    };
    let rewriter = Rewriter::new(csv_source(NONE), who, Action::Drop, limits).unwrap();
    let done = run(rewriter, rows.as_bytes(), &[100_000]).unwrap();
    let first = wide(7 + (0..1500).map(|n| row(n).len()).sum::<usize>());
    let second = first + wide(row(1500).len());
    let pieces = [
        (0..first, 0),
        (second..wide(rows.len() - row(2999).len()), first),
    ];
    let pieces = pieces.map(|(source, output_at)| Untouched { source, output_at });
    assert_eq!(done.report.untouched, pieces);
}

#[test]
fn what_cannot_be_read_for_certain_is_named_by_line() {
    let who = set(&["id"], Normalise::Exact, &["a"]);
    let column = |name: &str| FieldPath::parse(name).unwrap();
    let ragged = |fields| RowProblem::Ragged {
        fields,
        expected: 2,
        first: "the header",
    };
    for (rows, line, problem) in [
        (&b"id,x\n1,2\n1,2,3\n"[..], 3, ragged(3)),
        (b"id,x\n1,\"\n\n\"\n1\n", 5, ragged(1)),
        (b"id,x\n \n", 2, ragged(1)),
        (b"id,x\n1,2\na\"b,2\n", 3, RowProblem::StrayQuote),
        (b"id,x\n\"a\"b,2\n", 2, RowProblem::StrayQuote),
        (b"id,x\n1, \"2\"\n", 2, RowProblem::StrayQuote),
        (b"id,x\n1,2\n1,\"2\n3,4\n", 3, RowProblem::OpenQuote),
        (b"id,x\r1,2\r", 1, RowProblem::LoneReturn),
        (b"id,x\n1,2\r\r\n", 2, RowProblem::LoneReturn),
        (b"id,x\n1,\xff\n", 2, RowProblem::NotUtf8),
        (b"i\0d\0\n\0", 1, RowProblem::Nul),
        (b"id,x\n1,\"\0\"\n", 2, RowProblem::Nul),
        (b"\xff\xfei\0", 1, RowProblem::Nul),
        (b"\nID,x\n1,2\n", 2, RowProblem::MissingColumn(column("id"))),
        (b"id;x\n1;2\n", 1, RowProblem::MissingColumn(column("id"))),
        (
            b"id,x,id\n1,2,3\n",
            1,
            RowProblem::DuplicateColumn(column("id")),
        ),
        (
            b"id,\"id \"\n1,2\n",
            1,
            RowProblem::DuplicateColumn(column("id")),
        ),
    ] {
        for action in [Action::Drop, Action::Find, Action::HandOut] {
            let error = with(csv_source(NONE), rows, &who, action).unwrap_err();
            let shown = String::from_utf8_lossy(rows);
            assert_eq!(error, at_line(line, problem.clone()), "{shown:?}");
        }
    }
    // What is never compared may stand twice, or be called nothing.
    let rows = "id,x,x,,\n1,2,3,,\na,,,,\n";
    assert_eq!(left(rows, &who), "id,x,x,,\n1,2,3,,\n");
}

#[test]
fn refusals_say_what_to_do() {
    let who = set(&["id"], Normalise::Exact, &["a"]);
    for (rows, words, reason) in [
        (
            "id,x\n1\n",
            "line 2 has 1 fields, the header has 2",
            BlockReason::UnreadableData,
        ),
        (
            "x,y\n",
            "line 1 has no column id, so nobody can be looked for",
            BlockReason::SchemaMismatch,
        ),
        (
            "id,id\n",
            "line 1 has the column id twice",
            BlockReason::UnreadableData,
        ),
        (
            "id\na\"\n",
            "line 2 has a quote that opens or closes no field",
            BlockReason::UnreadableData,
        ),
    ] {
        let error = csv(rows, &who, Action::Find).unwrap_err();
        assert!(error.to_string().starts_with(words), "{error}");
        assert_eq!(error.block_reason(), reason);
    }
    let who = set(&["1"], Normalise::Exact, &["a"]);
    let source = headless(Delimiter::Comma);
    let error = with(source, b"a,b\na\n", &who, Action::Find).unwrap_err();
    assert!(error.to_string().contains("the first row has 2"), "{error}");
    let error = with(
        source,
        b"b\n",
        &set(&["2"], Normalise::Exact, &["a"]),
        Action::Find,
    );
    assert!(error.unwrap_err().to_string().contains("no column 2"));
}

#[test]
fn paths_that_can_be_no_column_are_refused_at_once() {
    for (source, field) in [
        (csv_source(NONE), "tags[]"),
        (csv_source(NONE), "tags[0]"),
        (headless(Delimiter::Comma), "email"),
        (headless(Delimiter::Comma), "0"),
    ] {
        let who = set(&[field], Normalise::Exact, &["a"]);
        let refused = Rewriter::new(source, who, Action::Find, Limits::default());
        let path = FieldPath::parse(field).unwrap();
        assert_eq!(refused.unwrap_err(), RewriteError::Column(path));
    }
    // A mask that is nowhere would mask nothing.
    let who = set(&["id"], Normalise::Exact, &["a"]);
    let redact = Action::Redact(masks(&[("naem", Mask::Fixed)]).into());
    let error = csv("id,name\na,Ann\n", &who, redact).unwrap_err();
    let missing = RowProblem::MissingColumn(FieldPath::parse("naem").unwrap());
    assert_eq!(error, at_line(1, missing));
}

#[test]
fn long_and_wide_rows_are_refused_before_they_are_in_memory() {
    let who = set(&["id"], Normalise::Exact, &["a"]);
    let limits = Limits {
        row_bytes: 1_000,
        ..Limits::default()
    };
    let open = format!("id\n1\n\"{}", "x\n".repeat(5_000));
    for pieces in [[10], [100_000]] {
        let rewriter = Rewriter::new(csv_source(NONE), Arc::clone(&who), Action::Find, limits);
        let error = run(rewriter.unwrap(), open.as_bytes(), &pieces).unwrap_err();
        assert_eq!(error, at_line(3, RowProblem::TooLong { limit: 1_000 }));
    }
    let wide = format!("id{}\n", ",x".repeat(20_000));
    let error = csv(&wide, &who, Action::Find).unwrap_err();
    assert_eq!(
        error,
        at_line(1, RowProblem::TooManyColumns { limit: 16_384 })
    );
    let wide = format!("id,x\n1{}\n", ",".repeat(1_000_000));
    let error = csv(&wide, &who, Action::Find).unwrap_err();
    assert!(error.to_string().contains("has 1000001 fields"), "{error}");
}

#[test]
fn no_error_says_what_stands_in_a_row() {
    let who = set(&["id"], Normalise::Exact, &["canary"]);
    for rows in [
        "id,x\ncanary\n",
        "canary,x\n",
        "id\ncan\"ary\n",
        "id\n\"canary",
        "id\ncanary\rx\n",
    ] {
        let error = csv(rows, &who, Action::HandOut).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("canary"), "{said}");
    }
    let mut rewriter =
        Rewriter::new(csv_source(NONE), who, Action::HandOut, Limits::default()).unwrap();
    let mut out = Output::default();
    rewriter
        .push(b"id,canary\ncanary,canary\ncanar", &mut out)
        .unwrap();
    let said = format!("{rewriter:?} {out:?} {:?}", out.rows);
    assert!(!said.contains("canary"), "{said}");
}

#[test]
fn who_goes_on_in_the_middle_knows_the_columns() {
    let who = set(&["mail"], Normalise::Exact, &["ann"]);
    let masks = masks(&[("z", Mask::Fixed), ("b", Mask::Null)]);
    let (head, rest) = ("z,mail,b\n1,bob,\"\n\"\n", "2,ann,3\n3,bob,mail\n");
    for (find, action, left) in [
        (Action::Find, Action::Drop, "3,bob,mail\n"),
        (
            Action::Unmasked(masks.clone().into()),
            Action::Redact(masks.into()),
            "***,ann,\n3,bob,mail\n",
        ),
    ] {
        let found = csv(&format!("{head}{rest}"), &who, find).unwrap();
        let opening = found.report.opening.unwrap();
        let kept = serde_json::to_string(&opening).unwrap();
        let opening: Opening = serde_json::from_str(&kept).unwrap();
        let limits = Limits::default();
        let rewriter = Rewriter::new(csv_source(NONE), Arc::clone(&who), action, limits).unwrap();
        let done = run(rewriter.after(&opening), rest.as_bytes(), &[2]).unwrap();
        assert_eq!(String::from_utf8(done.bytes).unwrap(), left);
        assert_eq!(done.report.rows_changed, 1);
    }
}

#[test]
fn marks_of_files_that_were_put_together_are_nobodys_letters() {
    let who = set(&["1"], Normalise::Exact, &["ann", "bob"]);
    let source = headless(Delimiter::Comma);
    let rows = "\u{feff}ann,1\n\u{feff}bob,2\n\u{feff}\"bob\",3\nx,4\n";
    let done = with(source, rows.as_bytes(), &who, Action::Drop).unwrap();
    assert_eq!(done.report.rows_after, 1);
    let left = "\u{feff}\u{feff}\u{feff}x,4\n";
    assert_eq!(String::from_utf8(done.bytes).unwrap(), left);
    let who = set(&["1"], Normalise::Exact, &["x"]);
    let done = with(source, left.as_bytes(), &who, Action::Find).unwrap();
    assert_eq!(done.report.rows_matched, 1);
}
