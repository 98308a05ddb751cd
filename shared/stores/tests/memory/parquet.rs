//! Files of Parquet on disk: large ones, and small ones that ask for much.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::ByteArray;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use bytes::Bytes;
use futures::executor::block_on;
use quittance_core::matching::MatchSet;
use quittance_stores::rewrite::{
    Action, Limits, Output, Pieces, Ranges, Report, RewriteError, Table,
};

use crate::{HEAP, MIB};

struct OnDisk(File);

impl Ranges for OnDisk {
    type Error = RewriteError;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, RewriteError> {
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap()];
        self.0.read_exact_at(&mut bytes, range.start).unwrap();
        Ok(bytes.into())
    }
}

/// Counts what is written, and forgets it.
#[derive(Default)]
struct Nowhere {
    kept: u64,
    made: u64,
}

impl Pieces for Nowhere {
    type Error = RewriteError;

    async fn keep(&mut self, range: Range<u64>) -> Result<(), RewriteError> {
        self.kept += range.end - range.start;
        Ok(())
    }

    async fn make(&mut self, bytes: &[u8]) -> Result<(), RewriteError> {
        self.made += u64::try_from(bytes.len()).unwrap();
        Ok(())
    }
}

/// A file of so many row groups of about as many bytes, in each of them one row of the first
/// member's.
fn file(groups: usize, bytes: usize, compression: Compression) -> File {
    let schema =
        "message m { required group user { required binary email (UTF8); } required binary x; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(false);
    let file = tempfile::tempfile().unwrap();
    let out = file.try_clone().unwrap();
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties.build())).unwrap();
    for _ in 0..groups {
        let mut group = writer.next_row_group().unwrap();
        let rows = bytes / 1024;
        for is_email in [true, false] {
            let mut column = group.next_column().unwrap().unwrap();
            let value = |n: usize| match (is_email, n) {
                (true, 0) => ByteArray::from("person0@example.org"),
                (true, n) => ByteArray::from(format!("other{n}@example.org").as_str()),
                (false, n) => ByteArray::from(format!("{n:>1000}").as_str()),
            };
            let values: Vec<ByteArray> = (0..rows).map(value).collect();
            let ColumnWriter::ByteArrayColumnWriter(typed) = column.untyped() else {
                panic!("another type");
            };
            typed.write_batch(&values, None, None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
    file
}

/// Looks through a file and writes it anew with so many bytes more than there are now. The first
/// byte beyond ends the program.
fn within(
    bytes: usize,
    set: &Arc<MatchSet>,
    file: File,
) -> Result<(Report, Nowhere), RewriteError> {
    let length = file.metadata().unwrap().len();
    let source = OnDisk(file);
    HEAP.set_limit(HEAP.allocated() + bytes).unwrap();
    let done = block_on(async {
        let open =
            |action| Table::open(&source, length, Arc::clone(set), action, Limits::default());
        let mut table = open(Action::Find).await?;
        let mut groups = BTreeSet::new();
        for group in 0..table.groups() {
            if table.look(&source, group, &mut Output::default()).await? {
                groups.insert(group);
            }
        }
        let mut nowhere = Nowhere::default();
        let table = open(Action::Drop).await?;
        let report = table.rewrite(&source, &groups, &mut nowhere).await?;
        Ok((report, nowhere))
    });
    HEAP.set_limit(usize::MAX).unwrap();
    done
}

/// However many row groups there are, two of them are in memory, and what the goal allows beside.
pub(crate) fn is_bounded_by_the_row_group(set: &Arc<MatchSet>) {
    let group = 8 * MIB;
    let (report, written) = within(2 * group + 32 * MIB, set, file(24, group, PLAIN)).unwrap();
    assert_eq!(report.rows_changed, 24);
    assert_eq!(written.kept, 4, "only the mark stays");
    assert!(written.made > u64::try_from(23 * group).unwrap());
}

/// What unpacks to far more than a row group may have is refused before it is unpacked.
pub(crate) fn is_not_asked_for_by_what_a_file_says(set: &Arc<MatchSet>) {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let bent = |at: u64, bytes: &[u8], mut file: File| {
        use std::io::{Seek as _, SeekFrom, Write as _};
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(bytes).unwrap();
        file
    };
    // The first page's header says that it unpacks to two gibibytes: 1 (type), 5 (unpacked size).
    let sane = file(1, MIB, zstd);
    let mut head = [0; 8];
    sane.read_exact_at(&mut head, 4).unwrap();
    assert_eq!(head[..3], [0x15, 0, 0x15], "a data page, and its size");
    let huge = [0x15, 0, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f];
    let refused = within(32 * MIB, set, bent(4, &huge, sane));
    assert!(refused.is_err());
    // Lists in the footer that say they are endless.
    for endless in [
        &b"\x15\x02\x19\xfc\xff\xff\xff\xff\x07\x00"[..],
        b"\x15\x02\x29\xfc\xff\xff\xff\xff\x07\x00",
        b"\x15\x02\x19\x2c\x48\x01m\x15\x02\x00\x15\x0c\x25\x00\x18\x01a\x00\x16\x02\x19\xfc\xff\xff\xff\xff\x07\x00",
    ] {
        let length = u32::try_from(endless.len()).unwrap().to_le_bytes();
        let bytes = [b"PAR1", endless, &length, b"PAR1"].concat();
        let file = bent(0, &bytes, tempfile::tempfile().unwrap());
        assert!(within(32 * MIB, set, file).is_err());
    }
}

const PLAIN: Compression = Compression::UNCOMPRESSED;
