//! Objects of rows that are no lines of JSON: two rows of everybody's in each.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// CSV in gzip.
pub(crate) fn orders(people: &[String]) -> Vec<u8> {
    let mut text = "mail,what\r\n".to_owned();
    for person in people.iter().chain(people) {
        text.push_str(&format!("{person},\"a \"\"thing\"\",\nof theirs\"\r\n"));
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

/// How many of somebody's are left.
pub(crate) fn orders_of(object: &[u8], person: &str) -> usize {
    let mut text = String::new();
    let mut unpacker = MultiGzDecoder::new(object);
    unpacker.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("mail,what\r\n"));
    text.matches(person).count()
}

/// Parquet: a row group with everybody, and one for each person.
pub(crate) fn clicks(people: &[String]) -> Vec<u8> {
    let schema = "message m { required group user { optional binary email (UTF8); } }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    for people in std::iter::once(people).chain(people.chunks(1)) {
        let mut group = file.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let ColumnWriter::ByteArrayColumnWriter(typed) = column.untyped() else {
            panic!("another type");
        };
        let values: Vec<ByteArray> = people.iter().map(|p| p.as_str().into()).collect();
        let def = vec![1; values.len()];
        typed.write_batch(&values, Some(&def), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    file.close().unwrap();
    bytes
}

/// How many of somebody's are left.
pub(crate) fn clicks_of(object: Vec<u8>, person: &str) -> usize {
    let reader = SerializedFileReader::new(Bytes::from(object)).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.filter(|row| row.as_ref().unwrap().to_string().contains(person))
        .count()
}
