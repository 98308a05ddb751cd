//! Parquet against a naive oracle: the library's own rows, read before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::Row as Told;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use proptest::sample::select;
use quittance_core::data_map::{FieldPath, Mask};
use quittance_core::subject::Normalise;

use super::super::parquet::{Pieces, Ranges, Table, TableProblem};
use super::super::{Action, Limits, Masks, Output, Report, RewriteError};
use super::pseudonyms::names;
use super::set;

const SCHEMA: &str = "message m {
    required int64 id;
    optional binary mail (UTF8);
    optional group user { required binary mail (STRING); optional int32 age; }
    optional group tags (LIST) { repeated group list { optional binary element (UTF8); } }
    repeated group old { optional binary mail (UTF8); repeated int32 ns; }
    optional fixed_len_byte_array(4) four;
    required boolean flag;
    optional int96 at;
}";

/// A row before it is taken apart into columns.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: i64,
    pub(super) mail: Option<&'static str>,
    pub(super) user: Option<(&'static str, Option<i32>)>,
    pub(super) tags: Option<Vec<Option<&'static str>>>,
    pub(super) old: Vec<(Option<&'static str>, Vec<i32>)>,
    pub(super) four: Option<[u8; 4]>,
}

#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the writer"
)]
pub(super) struct Written {
    dictionary: bool,
    v2: bool,
    compression: Compression,
    statistics: EnabledStatistics,
    bloom: bool,
    page: usize,
    delta: bool,
}

/// Levels and values of one column.
struct Levels<T> {
    def: Vec<i16>,
    rep: Vec<i16>,
    values: Vec<T>,
}

impl<T> Levels<T> {
    const fn new() -> Self {
        Self {
            def: Vec::new(),
            rep: Vec::new(),
            values: Vec::new(),
        }
    }

    fn push(&mut self, rep: i16, def: i16, value: Option<T>) {
        self.rep.push(rep);
        self.def.push(def);
        self.values.extend(value);
    }
}

fn text(text: &str) -> ByteArray {
    ByteArray::from(text)
}

pub(super) fn write(groups: &[Vec<Person>], how: &Written) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let mut properties = WriterProperties::builder()
        .set_dictionary_enabled(how.dictionary)
        .set_compression(how.compression)
        .set_statistics_enabled(how.statistics)
        .set_bloom_filter_enabled(how.bloom)
        .set_data_page_size_limit(how.page)
        .set_write_batch_size(8)
        .set_writer_version(if how.v2 {
            WriterVersion::PARQUET_2_0
        } else {
            WriterVersion::PARQUET_1_0
        });
    if how.delta {
        let delta = Encoding::DELTA_BINARY_PACKED;
        properties = properties.set_column_encoding("id".into(), delta);
    }
    let mut bytes = Vec::new();
    let mut file =
        SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties.build())).unwrap();
    for people in groups {
        let mut group = file.next_row_group().unwrap();
        let mut at = 0;
        while let Some(mut column) = group.next_column().unwrap() {
            write_column(at, people, column.untyped());
            column.close().unwrap();
            at += 1;
        }
        group.close().unwrap();
    }
    file.close().unwrap();
    bytes
}

fn write_column(at: usize, people: &[Person], column: &mut ColumnWriter<'_>) {
    let mut texts = Levels::new();
    let mut numbers = Levels::new();
    for person in people {
        match at {
            1 => texts.push(0, i16::from(person.mail.is_some()), person.mail.map(text)),
            2 => {
                let mail = person.user.map(|(mail, _)| text(mail));
                texts.push(0, i16::from(mail.is_some()), mail);
            }
            3 => {
                let age = person.user.and_then(|(_, age)| age);
                let def = i16::from(person.user.is_some()) + i16::from(age.is_some());
                numbers.push(0, def, age);
            }
            4 => match person.tags.as_deref() {
                None => texts.push(0, 0, None),
                Some([]) => texts.push(0, 1, None),
                Some(tags) => {
                    for (n, tag) in tags.iter().enumerate() {
                        let def = 2 + i16::from(tag.is_some());
                        texts.push(i16::from(n > 0), def, tag.map(text));
                    }
                }
            },
            5 if person.old.is_empty() => texts.push(0, 0, None),
            5 => {
                for (n, (mail, _)) in person.old.iter().enumerate() {
                    let def = 1 + i16::from(mail.is_some());
                    texts.push(i16::from(n > 0), def, mail.map(text));
                }
            }
            6 if person.old.is_empty() => numbers.push(0, 0, None),
            6 => {
                for (n, (_, ns)) in person.old.iter().enumerate() {
                    let rep = i16::from(n > 0);
                    if ns.is_empty() {
                        numbers.push(rep, 1, None);
                    }
                    for (m, n) in ns.iter().enumerate() {
                        numbers.push(if m > 0 { 2 } else { rep }, 2, Some(*n));
                    }
                }
            }
            7 => {
                let four = person.four.map(|four| ByteArray::from(four.to_vec()));
                texts.push(0, i16::from(four.is_some()), four);
            }
            _ => {}
        }
    }
    match column {
        ColumnWriter::Int64ColumnWriter(column) => {
            let ids: Vec<i64> = people.iter().map(|person| person.id).collect();
            column.write_batch(&ids, None, None).unwrap();
        }
        ColumnWriter::BoolColumnWriter(column) => {
            let flags: Vec<bool> = people.iter().map(|person| person.id % 3 == 0).collect();
            column.write_batch(&flags, None, None).unwrap();
        }
        ColumnWriter::Int96ColumnWriter(column) => {
            let mut moments = Levels::new();
            for person in people {
                let low = u32::try_from(person.id.rem_euclid(86_400)).unwrap();
                let moment = (person.id % 2 == 0).then(|| vec![low, 0, 2_440_588].into());
                moments.push(0, i16::from(moment.is_some()), moment);
            }
            let def = Some(moments.def.as_slice());
            column.write_batch(&moments.values, def, None).unwrap();
        }
        ColumnWriter::Int32ColumnWriter(column) => {
            let rep = (at == 6).then_some(numbers.rep.as_slice());
            let def = Some(numbers.def.as_slice());
            column.write_batch(&numbers.values, def, rep).unwrap();
        }
        ColumnWriter::ByteArrayColumnWriter(column) => {
            let rep = matches!(at, 4 | 5).then_some(texts.rep.as_slice());
            let def = Some(texts.def.as_slice());
            column.write_batch(&texts.values, def, rep).unwrap();
        }
        ColumnWriter::FixedLenByteArrayColumnWriter(column) => {
            let values: Vec<_> = texts.values.into_iter().map(Into::into).collect();
            let def = Some(texts.def.as_slice());
            column.write_batch(&values, def, None).unwrap();
        }
        ColumnWriter::FloatColumnWriter(_) | ColumnWriter::DoubleColumnWriter(_) => {
            unreachable!("not in the schema")
        }
    }
}

/// A file in memory.
pub(super) struct Whole<'f>(pub(super) &'f [u8]);

impl Ranges for Whole<'_> {
    type Error = RewriteError;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, RewriteError> {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        let bytes = self.0.get(range).expect("a range of the file");
        Ok(Bytes::copy_from_slice(bytes))
    }
}

/// What was written, and which ranges were kept.
pub(super) struct Into_<'f> {
    from: &'f [u8],
    pub(super) bytes: Vec<u8>,
    pub(super) kept: Vec<Range<u64>>,
}

impl Pieces for Into_<'_> {
    type Error = RewriteError;

    async fn keep(&mut self, range: Range<u64>) -> Result<(), RewriteError> {
        let place = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        self.bytes.extend_from_slice(&self.from[place]);
        self.kept.push(range);
        Ok(())
    }

    async fn make(&mut self, bytes: &[u8]) -> Result<(), RewriteError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

pub(super) const FIELDS: [&str; 4] = ["mail", "user.mail", "tags[]", "old[].mail"];

pub(super) fn table(
    file: &[u8],
    fields: &[&str],
    ids: &[&str],
    action: Action,
) -> Result<Table, RewriteError> {
    let who = set(fields, Normalise::Exact, ids);
    let length = u64::try_from(file.len()).unwrap();
    block_on(Table::open(
        &Whole(file),
        length,
        who,
        action,
        Limits::default(),
    ))
}

pub(super) fn looked(
    file: &[u8],
    fields: &[&str],
    ids: &[&str],
    action: Action,
) -> Result<(Report, BTreeSet<usize>, Output), RewriteError> {
    let mut table = table(file, fields, ids, action)?;
    let mut out = Output::default();
    let mut groups = BTreeSet::new();
    for group in 0..table.groups() {
        if block_on(table.look(&Whole(file), group, &mut out))? {
            groups.insert(group);
        }
    }
    Ok((table.finish(), groups, out))
}

pub(super) fn rewritten<'f>(
    file: &'f [u8],
    fields: &[&str],
    ids: &[&str],
    action: Action,
) -> Result<(Into_<'f>, Report), RewriteError> {
    let find = match &action {
        Action::Redact(masks) => Action::Unmasked(masks.clone()),
        Action::Drop | Action::Find | Action::HandOut | Action::Unmasked(_) => Action::Find,
    };
    let (found, groups, _) = looked(file, fields, ids, find)?;
    let mut target = Into_ {
        from: file,
        bytes: Vec::new(),
        kept: Vec::new(),
    };
    let table = table(file, fields, ids, action)?;
    let report = block_on(table.rewrite(&Whole(file), &groups, &mut target))?;
    assert_eq!(report.rows_before, found.rows_before);
    assert_eq!(report.rows_changed, found.rows_matched);
    assert_eq!(report.bytes_out, u64::try_from(target.bytes.len()).unwrap());
    Ok((target, report))
}

/// Every row, as the library reads it.
pub(super) fn rows(file: &[u8]) -> Vec<Told> {
    let reader = SerializedFileReader::new(Bytes::copy_from_slice(file)).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Every byte of a file: its pages unpacked, and all that is between them.
pub(super) fn decoded(file: &[u8]) -> Vec<u8> {
    let reader = SerializedFileReader::new(Bytes::copy_from_slice(file)).unwrap();
    let mut all = file.to_vec();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).unwrap();
        for column in 0..group.num_columns() {
            let mut pages = group.get_column_page_reader(column).unwrap();
            while let Some(page) = pages.get_next_page().unwrap() {
                all.extend_from_slice(page.buffer());
            }
        }
    }
    all
}

const MAILS: [&str; 5] = ["ann@x.test", "bob@x.test", "cy@x.test", "", "0"];

fn mail() -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(select(MAILS.to_vec()))
}

fn person() -> impl Strategy<Value = Person> {
    let user = prop::option::of((select(MAILS.to_vec()), prop::option::of(0..9)));
    let tags = prop::option::of(prop::collection::vec(mail(), 0..4));
    let old = prop::collection::vec((mail(), prop::collection::vec(0..5, 0..3)), 0..3);
    let four = prop::option::of(any::<[u8; 4]>());
    (any::<i64>(), mail(), user, tags, old, four).prop_map(|(id, mail, user, tags, old, four)| {
        Person {
            id,
            mail,
            user,
            tags,
            old,
            four,
        }
    })
}

pub(super) fn groups() -> impl Strategy<Value = Vec<Vec<Person>>> {
    prop::collection::vec(prop::collection::vec(person(), 1..40), 0..5)
}

pub(super) fn written() -> impl Strategy<Value = Written> {
    let codecs = vec![
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::LZ4_RAW,
        Compression::BROTLI(parquet::basic::BrotliLevel::default()),
    ];
    let statistics = vec![
        EnabledStatistics::None,
        EnabledStatistics::Chunk,
        EnabledStatistics::Page,
    ];
    (
        any::<[bool; 4]>(),
        select(codecs),
        select(statistics),
        16_usize..2_000,
    )
        .prop_map(
            |([dictionary, v2, bloom, delta], compression, statistics, page)| Written {
                dictionary,
                v2,
                compression,
                statistics,
                bloom,
                page,
                delta,
            },
        )
}

/// Whether a row says one of these in one of the fields, read from the row as the library shows it.
fn says(person: &Person, field: &str, ids: &[&str]) -> bool {
    let is = |text: &str| ids.contains(&text);
    match field {
        "mail" => person.mail.is_some_and(is),
        "user.mail" => person.user.is_some_and(|(mail, _)| is(mail)),
        "tags[]" => person.tags.iter().flatten().flatten().any(|tag| is(tag)),
        "old[].mail" => person.old.iter().any(|(mail, _)| mail.is_some_and(is)),
        other => unreachable!("{other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn survivors_are_what_they_were_and_nothing_else_is_left(
        groups in groups(),
        how in written(),
        fields in prop::sample::subsequence(FIELDS.to_vec(), 1..=4),
        ids in prop::sample::subsequence(vec!["ann@x.test", "cy@x.test", "0"], 1..=3),
    ) {
        let file = write(&groups, &how);
        let people: Vec<&Person> = groups.iter().flatten().collect();
        let goes = |person: &Person| fields.iter().any(|field| says(person, field, &ids));
        let told = rows(&file);
        prop_assert_eq!(told.len(), people.len());
        let stay: Vec<Told> = people.iter().zip(told).filter(|(p, _)| !goes(p)).map(|(_, t)| t).collect();
        let (target, report) = rewritten(&file, &fields, &ids, Action::Drop).unwrap();
        prop_assert_eq!(rows(&target.bytes), stay);
        let gone = people.iter().filter(|person| goes(person)).count();
        prop_assert_eq!(report.rows_changed, u64::try_from(gone).unwrap());
        prop_assert_eq!(report.rows_before - report.rows_after, report.rows_changed);
        // What identifies, and is told apart from other fields' values, is in no byte of it.
        if fields.len() == FIELDS.len() && ids.contains(&"ann@x.test") {
            let left = decoded(&target.bytes);
            prop_assert!(memchr::memmem::find(&left, b"ann@x.test").is_none());
        }
        // A second pass finds nothing, and would write the same.
        let (again, groups, _) = looked(&target.bytes, &fields, &ids, Action::Find).unwrap();
        prop_assert_eq!((again.rows_matched, groups.len()), (0, 0));
    }

    #[test]
    fn masks_change_what_they_name_and_nothing_else(
        groups in groups(),
        how in written(),
        mask in select(vec![("mail", Mask::Fixed), ("mail", Mask::Null), ("mail", Mask::Pseudonym), ("user", Mask::Remove), ("tags", Mask::Null),
            ("tags[]", Mask::Fixed), ("tags[]", Mask::Null), ("tags[]", Mask::Pseudonym), ("old[].mail", Mask::Null), ("four", Mask::Null)]),
    ) {
        let file = write(&groups, &how);
        let (path, kind) = mask;
        let masks = Masks::new([(FieldPath::parse(path).unwrap(), kind)].into(), Some(names()));
        let (target, _) = rewritten(&file, &["mail"], &["ann@x.test"], Action::Redact(masks)).unwrap();
        let mut expected = groups;
        for person in expected.iter_mut().flatten().filter(|p| p.mail == Some("ann@x.test")) {
            let masked = |was: &mut Option<&'static str>| {
                *was = was.and_then(|was| match kind {
                    Mask::Fixed => Some(Mask::TEXT),
                    Mask::Null | Mask::Remove | Mask::TakeOut => None,
                    Mask::Pseudonym if was.is_empty() => Some(was),
                    Mask::Pseudonym => Some(&*names().of(was).leak()),
                });
            };
            match path {
                "mail" => masked(&mut person.mail),
                "user" => person.user = None,
                "tags" => person.tags = None,
                "tags[]" => person.tags.iter_mut().flatten().for_each(masked),
                "old[].mail" => person.old.iter_mut().for_each(|(mail, _)| masked(mail)),
                _ => person.four = None,
            }
        }
        prop_assert_eq!(rows(&target.bytes), rows(&write(&expected, &how)));
    }
}

#[test]
fn a_row_is_handed_out_with_all_that_it_says() {
    let person = Person {
        id: -7,
        mail: Some("ann@x.test"),
        user: Some(("u\"\n", None)),
        tags: Some(vec![Some("a"), None]),
        old: vec![(None, vec![1, 2]), (Some("b"), vec![])],
        four: Some([1, 2, 3, 255]),
    };
    let other = Person {
        mail: Some("bob@x.test"),
        tags: Some(vec![]),
        old: vec![],
        user: None,
        id: -7,
        four: None,
    };
    let file = write(&[vec![other.clone(), person], vec![other]], &plain());
    let (report, _, out) = looked(
        &file,
        &["mail"],
        &["ann@x.test", "bob@x.test"],
        Action::HandOut,
    )
    .unwrap();
    assert_eq!((report.rows_matched, out.rows.len()), (3, 3));
    let row = |at: usize| String::from_utf8(out.rows[at].bytes.clone()).unwrap();
    assert_eq!(
        row(1),
        r#"{"id":-7,"mail":"ann@x.test","user":{"mail":"u\"\n","age":null},"tags":["a",null],"old":[{"mail":null,"ns":[1,2]},{"mail":"b","ns":[]}],"four":"AQID/w==","flag":false,"at":null}"#
    );
    assert!(row(0).contains(r#""user":null,"tags":[],"old":[],"#));
    let lines: Vec<u64> = out.rows.iter().map(|row| row.line).collect();
    assert_eq!(lines, [1, 2, 3]);
}

pub(super) const fn plain() -> Written {
    Written {
        dictionary: true,
        v2: false,
        compression: Compression::UNCOMPRESSED,
        statistics: EnabledStatistics::Page,
        bloom: true,
        page: 1_000,
        delta: false,
    }
}

#[test]
fn what_cannot_be_masked_is_said() {
    let file = write(&[], &plain());
    for (path, mask) in [
        ("id", Mask::Null),
        ("id", Mask::Fixed),
        ("user.mail", Mask::Null),
        ("old", Mask::Remove),
        ("four", Mask::Fixed),
    ] {
        let masks = BTreeMap::from([(FieldPath::parse(path).unwrap(), mask)]);
        let refused = table(&file, &["mail"], &["a"], Action::Redact(masks.into())).unwrap_err();
        let is_refused = matches!(
            refused,
            RewriteError::Table(TableProblem::NotMaskable { .. })
        );
        assert!(is_refused, "{path}: {refused}");
    }
    for field in ["nobody", "user", "user.none", "id[]", "old", "mail.x"] {
        let refused = table(&file, &[field], &["a"], Action::Find).unwrap_err();
        let path = FieldPath::parse(field).unwrap();
        assert_eq!(
            refused,
            RewriteError::Table(TableProblem::MissingColumn(path))
        );
    }
}

pub(super) fn people(count: i64) -> Vec<Person> {
    let person = |id: i64| Person {
        id,
        mail: Some(if id % 7 == 0 {
            "ann@x.test"
        } else {
            "bob@x.test"
        }),
        user: None,
        tags: None,
        old: Vec::new(),
        four: None,
    };
    (0..count).map(person).collect()
}

/// A file with its footer as it is made of the old one.
pub(super) fn with_footer(file: &[u8], change: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (rest, _) = file.split_last_chunk::<4>().unwrap();
    let (rest, length) = rest.split_last_chunk::<4>().unwrap();
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap();
    let (data, footer) = rest.split_at(rest.len() - length);
    let footer = change(footer);
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [data, &footer, &length, b"PAR1"].concat()
}

#[test]
fn a_type_that_nobody_here_knows_stays() {
    let file = write(&[people(20), people(20)], &plain());
    // The converted type UTF8 goes; the logical type: number 1 (a text) becomes number 100.
    let known: &[u8] = b"\x25\x00\x4c\x1c\x00\x00";
    let unknown: &[u8] = b"\x6c\x0c\xc8\x01\x00\x00";
    let file = with_footer(&file, |footer| {
        let at = memchr::memmem::find(footer, known).unwrap();
        [&footer[..at], unknown, &footer[at + known.len()..]].concat()
    });
    let (target, report) = rewritten(&file, &["mail"], &["ann@x.test"], Action::Drop).unwrap();
    assert_eq!(report.rows_changed, 6);
    assert!(memchr::memmem::find(&target.bytes, unknown).is_some());
    assert_eq!(rows(&target.bytes).len(), 34);
}

#[test]
fn bloom_filters_of_which_only_the_beginning_is_known_stay() {
    use parquet::file::metadata::{ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData};
    let file = write(&[people(7), vec![people(2).pop().unwrap()]], &plain());
    let blooms = |file: &[u8]| -> Vec<Vec<u8>> {
        let reader = SerializedFileReader::new(Bytes::copy_from_slice(file)).unwrap();
        let group = reader.metadata().row_groups().last().unwrap().clone();
        let place = |column: &parquet::file::metadata::ColumnChunkMetaData| {
            let at = usize::try_from(column.bloom_filter_offset().unwrap()).unwrap();
            let length = usize::try_from(column.bloom_filter_length().unwrap()).unwrap();
            file[at..at + length].to_vec()
        };
        group.columns().iter().map(place).collect()
    };
    let old = with_footer(&file, |footer| {
        let metadata = ParquetMetaDataReader::decode_metadata(footer).unwrap();
        let mut groups = metadata.row_groups().to_vec();
        for column in groups.iter_mut().flat_map(RowGroupMetaData::columns_mut) {
            let shorter = column.clone().into_builder().set_bloom_filter_length(None);
            *column = shorter.build().unwrap();
        }
        let metadata = metadata.into_builder().set_row_groups(groups).build();
        let mut written = Vec::new();
        ParquetMetaDataWriter::new(&mut written, &metadata)
            .finish()
            .unwrap();
        written.truncate(written.len() - 8);
        written
    });
    let (target, report) = rewritten(&old, &["mail"], &["ann@x.test"], Action::Drop).unwrap();
    assert_eq!(report.rows_changed, 1);
    assert_eq!(blooms(&target.bytes), blooms(&file));
}

#[test]
fn what_a_file_repeats_of_somebody_in_its_own_metadata_is_refused() {
    use parquet::file::metadata::{
        FileMetaData, KeyValue, ParquetMetaDataReader, ParquetMetaDataWriter,
    };
    let file = write(&[people(20)], &plain());
    let told = |value: &str| {
        with_footer(&file, |footer| {
            let metadata = ParquetMetaDataReader::decode_metadata(footer).unwrap();
            let old = metadata.file_metadata();
            let file = FileMetaData::new(
                old.version(),
                old.num_rows(),
                None,
                Some(vec![KeyValue::new("most".to_owned(), value.to_owned())]),
                old.schema_descr_ptr(),
                None,
            );
            let groups = metadata.row_groups().to_vec();
            let metadata = parquet::file::metadata::ParquetMetaData::new(file, groups);
            let mut written = Vec::new();
            ParquetMetaDataWriter::new(&mut written, &metadata)
                .finish()
                .unwrap();
            written.truncate(written.len() - 8);
            written
        })
    };
    let drop = |file: &[u8]| {
        let done = rewritten(file, &["mail"], &["ann@x.test"], Action::Drop);
        done.map(|(_, report)| report.rows_changed)
    };
    assert_eq!(drop(&told("bob@x.test")), Ok(3));
    let refused = RewriteError::Table(TableProblem::InMetadata);
    assert_eq!(drop(&told("{\"top\":\"ann@x.test\"}")), Err(refused));
}
