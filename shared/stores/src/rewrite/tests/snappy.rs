//! Snappy's framing format: chunks of every kind, and what is another format.

use quittance_core::fault::BlockReason;

use super::errors::refused;
use super::*;

const IDENTIFIER: &[u8] = b"\xff\x06\0\0sNaPpY";

/// A chunk of this kind.
fn chunk(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&[kind, length[0], length[1], length[2]], body].concat()
}

/// A row as a chunk that is not packed, with the checksum that `snap` makes.
fn plain(row: &[u8]) -> Vec<u8> {
    let object = packed(SNAPPY, &[row]);
    let checksum = &object[IDENTIFIER.len() + 4..][..4];
    chunk(1, &[checksum, row].concat())
}

fn nobody() -> Arc<MatchSet> {
    set(&["id"], Normalise::Exact, &["nobody"])
}

#[test]
fn chunks_that_may_be_skipped_are_and_are_dropped() {
    let object = [
        IDENTIFIER.to_vec(),
        chunk(0xfe, &[0; 3000]),
        plain(b"{\"id\":1}\n"),
        chunk(0x80, b"whatever"),
        chunk(0xfd, b""),
        IDENTIFIER.to_vec(),
        IDENTIFIER.to_vec(),
        plain(b"{\"id\":2}\n"),
    ]
    .concat();
    for pieces in [[1], [100_000]] {
        let limits = Limits::default();
        let rewriter = Rewriter::new(source(SNAPPY), nobody(), Action::Drop, limits).unwrap();
        let done = run(rewriter, &object, &pieces).unwrap();
        assert_eq!(unpacked(SNAPPY, &done.bytes), b"{\"id\":1}\n{\"id\":2}\n");
        let identifiers = memchr::memmem::find_iter(&done.bytes, IDENTIFIER).count();
        assert_eq!(identifiers, 2, "one for each stream that has rows");
    }
}

#[test]
fn long_streams_are_cut_into_blocks() {
    let row = |n: u32| {
        format!(
            "{{\"id\":{n},\"x\":\"{}\"}}\n",
            n.wrapping_mul(2_654_435_761)
        )
    };
    let rows: String = (0..20_000).map(row).collect();
    let object = packed(SNAPPY, &[rows.as_bytes()]);
    let done = rewrite(SNAPPY, &object, &nobody(), Action::Drop).unwrap();
    assert_eq!(unpacked(SNAPPY, &done.bytes), rows.as_bytes());
    let (before, after) = (object.len(), done.bytes.len());
    assert!(after.abs_diff(before) * 50 < before, "{before} to {after}");
}

#[test]
fn other_formats_of_snappy_are_named() {
    let rows = b"{\"id\":1}\n".repeat(50);
    let raw = snap::raw::Encoder::new().compress_vec(&rows).unwrap();
    let size = |length: usize| u32::try_from(length).unwrap().to_be_bytes();
    let hadoop = [&size(rows.len())[..], &size(raw.len()), &raw].concat();
    let java = [
        b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01",
        &size(raw.len())[..],
        &raw,
    ]
    .concat();
    let headless = packed(SNAPPY, &[&rows])[IDENTIFIER.len()..].to_vec();
    let gzip = packed(GZIP, &[&rows]);
    for object in [
        raw,
        hadoop,
        java,
        headless,
        gzip,
        rows,
        b"\xff\x06\0\0sNaPpX".to_vec(),
    ] {
        let error = refused(SNAPPY, &object);
        assert_eq!(error, RewriteError::NotFramed);
        assert!(error.to_string().contains("Hadoop's blocks"), "{error}");
        assert_eq!(error.block_reason(), BlockReason::UnreadableData);
    }
}

#[test]
fn streams_that_contradict_themselves_are_refused() {
    let row = b"{\"id\":1}\n";
    let with = |chunk: Vec<u8>| [IDENTIFIER, &chunk].concat();
    let mut checksum = plain(row);
    checksum[4] ^= 1;
    let long = plain(&b"{\"id\":1}\n".repeat(8_000));
    let packed = packed(SNAPPY, &[&row.repeat(50)]);
    let mut block = packed.clone();
    block[IDENTIFIER.len() + 8] ^= 0xff;
    let mut data = packed;
    *data.last_mut().unwrap() ^= 0xff;
    for (object, detail) in [
        (with(checksum), "checksum"),
        (with(chunk(1, b"abc")), "no checksum"),
        (with(chunk(2, b"")), "a kind that nobody knows"),
        (with(chunk(0x7f, b"x")), "a kind that nobody knows"),
        (with(chunk(0xff, b"sNaPpX")), "a stream identifier"),
        (with(chunk(0xff, b"sNaPp")), "a stream identifier"),
        (with(long), "longer than any"),
        (with(chunk(0, &vec![0xff; 90_000])), "longer than any"),
        (
            with(chunk(0, b"....\xff\xff\xff\xff\x0fx")),
            "longer than 65536",
        ),
        (
            with(chunk(0, b"....\xff\xff\xff\xff\xff\xff")),
            "a block cannot",
        ),
        (data, "a block cannot"),
    ] {
        let text = refused(SNAPPY, &object).to_string();
        assert!(text.contains("snappy data is damaged"), "{text}");
        assert!(text.contains(detail), "{text} has no {detail}");
    }
    let text = refused(SNAPPY, &block).to_string();
    assert!(text.contains("damaged"), "{text}");
}

#[test]
fn what_ends_inside_a_chunk_is_refused() {
    let rows = b"{\"id\":1}\n".repeat(50);
    let object = packed(SNAPPY, &[&rows, &rows]);
    let one = packed(SNAPPY, &[&rows]).len();
    // Between chunks nothing tells that there were more: the format has no end mark.
    let ends = [IDENTIFIER.len(), one, one + IDENTIFIER.len()];
    for length in (1..object.len()).filter(|length| !ends.contains(length)) {
        let error = refused(SNAPPY, &object[..length]);
        assert_eq!(error, RewriteError::Truncated(SNAPPY), "{length}");
    }
}

#[test]
fn the_limit_of_ratios_is_for_snappy_too() {
    let object = packed(SNAPPY, &[&vec![b'\n'; 64 * 1024 * 1024]]);
    let limits = Limits {
        ratio: 10,
        ..Limits::default()
    };
    let rewriter = Rewriter::new(source(SNAPPY), nobody(), Action::Find, limits).unwrap();
    let error = run(rewriter, &object, &[4_096]).unwrap_err();
    assert_eq!(error, RewriteError::Bomb { limit: 10 });
}
