//! What cannot be read is refused, with what to do, and stays as it is.

use quittance_core::fault::BlockReason;

use super::*;

pub(super) fn refused(compression: Compression, object: &[u8]) -> RewriteError {
    let who = set(&["user.email", "id"], Normalise::Exact, &["a"]);
    rewrite(compression, object, &who, Action::Drop).unwrap_err()
}

pub(super) fn at_line(line: u64, problem: RowProblem) -> RewriteError {
    RewriteError::Row { line, problem }
}

#[test]
fn rows_that_are_no_rows_are_named_by_line() {
    let not_object = RowProblem::NotAnObject;
    for (rows, line, problem) in [
        (&b"{\"id\":1}\n[1,2]\n"[..], 2, not_object.clone()),
        (b"id,email\n1,a\n", 1, not_object.clone()),
        (b"\n{\"id\":1}\n{\n  \"id\": 1\n}\n", 3, not_object.clone()),
        (b"{\"id\":\"a\"", 1, not_object),
        (b"{\"id\":\"a\",}\n", 1, RowProblem::NotJson),
        (b"{\"id\":\"a\"}}\n", 1, RowProblem::NotJson),
        (b"{\"id\":\"a\"} {\"id\":\"b\"}\n", 1, RowProblem::NotJson),
        (b"{\"x\":1}\n{\"x\":\"\xff\"}\n", 2, RowProblem::NotUtf8),
        (b"\xff\xfe{\0\"\0", 1, RowProblem::NotUtf8),
    ] {
        assert_eq!(
            refused(NONE, rows),
            at_line(line, problem),
            "{:?}",
            rows.utf8_chunks()
        );
    }
}

#[test]
fn a_key_twice_is_refused_where_it_decides() {
    for (rows, path) in [
        ("{\"id\":\"a\",\"id\":\"b\"}\n", "id"),
        ("{\"id\":\"b\",\"\\u0069d\":\"b\"}\n", "id"),
        ("{\"user\":{},\"id\":\"a\",\"user\":{}}\n", "user.email"),
    ] {
        let path = FieldPath::parse(path).unwrap();
        let error = at_line(1, RowProblem::DuplicateKey(path));
        assert_eq!(refused(NONE, rows.as_bytes()), error);
        assert!(error.to_string().ends_with("keep one"));
        assert_eq!(error.block_reason(), BlockReason::UnreadableData);
    }
    // Neither is anybody's: whichever counts, the row stays.
    let harmless = b"{\"id\":\"b\",\"id\":\"c\",\"x\":1,\"x\":2}\n";
    let who = set(&["id"], Normalise::Exact, &["a"]);
    let done = rewrite(NONE, harmless, &who, Action::Drop).unwrap();
    assert_eq!(done.bytes, harmless);
}

#[test]
fn deep_rows_are_refused_when_they_are_taken_apart() {
    let deep = format!(
        "{{\"id\":\"a\",\"x\":{}{}}}\n",
        "[".repeat(500),
        "]".repeat(500)
    );
    let error = refused(NONE, deep.as_bytes());
    assert_eq!(error, at_line(1, RowProblem::TooDeep { limit: 128 }));
    assert_eq!(error.block_reason(), BlockReason::TooLarge);
}

#[test]
fn long_rows_are_refused_before_they_are_in_memory() {
    let who = set(&["id"], Normalise::Exact, &["a"]);
    let limits = Limits {
        row_bytes: 1_000,
        ..Limits::default()
    };
    let long = format!("{{\"id\":1}}\n{{\"id\":\"{}\"}}", "x".repeat(5_000));
    for pieces in [[10], [100_000]] {
        let rewriter = Rewriter::new(source(NONE), Arc::clone(&who), Action::Find, limits);
        let error = run(rewriter.unwrap(), long.as_bytes(), &pieces).unwrap_err();
        assert_eq!(error, at_line(2, RowProblem::TooLong { limit: 1_000 }));
    }
}

#[test]
fn files_that_end_too_early_are_refused_wherever_they_end() {
    let rows = "{\"id\":1}\n".repeat(50);
    for compression in [GZIP, ZSTD] {
        let object = packed(compression, &[rows.as_bytes(), rows.as_bytes()]);
        let whole = packed(compression, &[rows.as_bytes()]).len();
        for length in (1..object.len()).filter(|length| *length != whole) {
            let error = refused(compression, &object[..length]);
            assert_eq!(error, RewriteError::Truncated(compression), "{length}");
            assert_eq!(error.block_reason(), BlockReason::UnreadableData);
        }
    }
}

#[test]
fn files_that_contradict_themselves_are_refused() {
    let rows = b"{\"id\":1}\n".repeat(50);
    let corrupt = |compression, object: &[u8], detail: &str| {
        let error = refused(compression, object);
        let text = error.to_string();
        assert!(matches!(error, RewriteError::Corrupt { .. }), "{text}");
        assert!(text.contains(detail), "{text}");
    };
    let gzip = packed(GZIP, &[&rows]);
    let changed = |at: usize, object: &[u8]| {
        let mut object = object.to_vec();
        object[at] ^= 0xff;
        object
    };
    corrupt(GZIP, &changed(0, &gzip), "no gzip member");
    corrupt(GZIP, &changed(gzip.len() - 6, &gzip), "checksum");
    corrupt(GZIP, &changed(gzip.len() - 1, &gzip), "checksum");
    corrupt(GZIP, &[&gzip[..], b"tail"].concat(), "no gzip member");
    corrupt(GZIP, &[&gzip[..], b"\0\0tail"].concat(), "follows it");
    corrupt(GZIP, &rows, "no gzip member");
    let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
    zstd.include_checksum(true).unwrap();
    zstd.write_all(&rows).unwrap();
    let zstd = zstd.finish().unwrap();
    corrupt(ZSTD, &changed(zstd.len() - 1, &zstd), "checksum");
    corrupt(ZSTD, &rows, "no zstd frame");
    corrupt(
        ZSTD,
        &[&zstd[..], b"{\"id\":1}\n"].concat(),
        "no zstd frame",
    );
}

#[test]
fn bombs_are_refused_while_they_unpack() {
    let bomb = vec![b'\n'; 64 * 1024 * 1024];
    for compression in [GZIP, ZSTD] {
        let error = refused(compression, &packed(compression, &[&bomb]));
        assert_eq!(error, RewriteError::Bomb { limit: 500 });
        assert_eq!(error.block_reason(), BlockReason::TooLarge);
    }
    let line = vec![b'x'; 64 * 1024 * 1024];
    let error = refused(GZIP, &packed(GZIP, &[&line]));
    let limit = 16 * 1024 * 1024;
    assert_eq!(error, at_line(1, RowProblem::TooLong { limit }));
}

#[test]
fn windows_beyond_our_memory_are_refused() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(b"{\"id\":1}\n").unwrap();
    let object = encoder.finish().unwrap();
    let error = refused(ZSTD, &object);
    assert_eq!(error, RewriteError::Window { limit: 32 << 20 });
}

#[test]
fn after_an_error_nothing_goes_on() {
    let who = set(&["id"], Normalise::Exact, &["a"]);
    let limits = Limits::default();
    let mut rewriter = Rewriter::new(source(NONE), who, Action::Drop, limits).unwrap();
    let mut out = Output::default();
    assert!(rewriter.push(b"{\"id\":1}\nno row\n", &mut out).is_err());
    let again = rewriter.push(b"{\"id\":2}\n", &mut out);
    assert_eq!(again, Err(RewriteError::Stopped));
    assert_eq!(
        rewriter.finish(&mut out).unwrap_err(),
        RewriteError::Stopped
    );
}

#[test]
fn a_table_is_no_stream() {
    let who = set(&["id"], Normalise::Exact, &["a"]);
    let format = RecordFormat::Parquet;
    let other = Source {
        format,
        compression: NONE,
    };
    let refused = Rewriter::new(other, who, Action::Find, Limits::default());
    assert_eq!(refused.unwrap_err(), RewriteError::NoStream);
}

#[test]
fn too_many_tuples_are_refused() {
    let list: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let list = list.join(",");
    let row = format!("{{\"a\":[{list}],\"b\":[{list}],\"c\":1}}\n");
    let find = finds(&["a", "b"], None);
    let columns = find.iter().flat_map(Find::columns);
    let both = Find {
        kind: kind(),
        how: FindHow::Columns(
            columns
                .zip(["one", "two"])
                .map(|(column, name)| Column {
                    kind: IdentifierKind::parse(name).unwrap(),
                    ..column
                })
                .collect(),
        ),
        line: Line(1),
    };
    let kinds = ["one", "two"].map(|name| IdentifierKind::parse(name).unwrap());
    let rules = kinds.clone().map(|kind| (kind, rule(Normalise::Exact)));
    let mut builder = MatchSetBuilder::new(&[both], &rules.into_iter().collect(), 1).unwrap();
    builder.add_texts(0, &kinds, &["1", "2"]).unwrap();
    let who = Arc::new(builder.build());
    let error = rewrite(NONE, row.as_bytes(), &who, Action::Find).unwrap_err();
    assert_eq!(error, at_line(1, RowProblem::TooManyTuples { limit: 4096 }));
    let fewer = b"{\"a\":[0,1],\"b\":[2,3]}\n{\"a\":1,\"b\":3}\n{\"b\":2}\n";
    let done = rewrite(NONE, fewer, &who, Action::Find).unwrap();
    assert_eq!(done.report.rows_matched, 1);
}
