//! Where a store is.

use super::super::names;
use super::super::reading::{Field, Fields, Reader};
use super::super::store::{
    Attested, Budget, Compression, Dialect, DynamodbItems, Place, RecordFormat, S3Objects,
    S3Records,
};
use super::super::template::KeyTemplate;
use super::super::yaml::Value;
use super::{Declared, csv, optional, owned_if};

/// The kinds of places: they decide which other keys a store may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaceKind {
    Table,
    Objects,
    Records,
    Attested,
}

impl PlaceKind {
    /// Tells the kind by the keys that are there, right or wrong; none when they contradict.
    pub(super) fn of(fields: &Fields<'_>) -> Option<Self> {
        let s3 = fields.peek("s3");
        match (fields.has("dynamodb"), s3, fields.has("attested")) {
            (true, None, false) => Some(Self::Table),
            (false, None, true) => Some(Self::Attested),
            (false, Some(node), false) => {
                let Value::Map(entries) = &node.value else {
                    return None;
                };
                let is_records = entries
                    .iter()
                    .any(|entry| RECORD_KEYS.contains(&entry.key.as_str()));
                Some(if is_records {
                    Self::Records
                } else {
                    Self::Objects
                })
            }
            (_, _, _) => None,
        }
    }
}

/// Reads a store's place.
pub(super) fn place(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    declared: &Declared,
) -> Option<Place> {
    let dynamodb = fields.optional("dynamodb");
    let s3 = fields.optional("s3");
    let attested = fields.optional("attested");
    match (dynamodb, s3, attested) {
        (Some(field), None, None) => table(reader, &field),
        (None, Some(field), None) => bucket(reader, &field, declared),
        (None, None, Some(field)) => attestation(reader, &field),
        (None, None, None) => {
            let message = "has no place; add dynamodb: { table: … }, s3: { bucket: … } or, outside \
                           AWS, attested: { by: …, within: 10d }";
            reader.note(fields.mark, &fields.path, message);
            None
        }
        (dynamodb, s3, attested) => {
            for field in [dynamodb, s3, attested].iter().flatten().skip(1) {
                reader.wrong(field, "a store has one place; make this a store of its own");
            }
            None
        }
    }
}

fn table(reader: &mut Reader, field: &Field<'_>) -> Option<Place> {
    let mut fields = reader.fields(field, "{ table: customers }")?;
    let table = fields
        .required(reader, "table", "table: and the table's name")
        .and_then(|field| {
            let advice = "a table's name is 3 to 255 of A-Z a-z 0-9 _ - .";
            reader.parsed(&field, |text| owned_if(text, names::is_table), advice)
        });
    let budget = optional(&mut fields, "budget", |field| budget(reader, field));
    reader.finish(&fields);
    Some(Place::DynamoDb(DynamodbItems {
        table: table?,
        budget: budget.ok()?,
    }))
}

/// Reads how much of a table's capacity may be used.
fn budget(reader: &mut Reader, field: &Field<'_>) -> Option<Budget> {
    let mut fields = reader.fields(field, "{ read: 100, write: 50 }")?;
    let mut units = |key| {
        optional(&mut fields, key, |field| {
            if let Value::Integer(units @ 1..=1_000_000) = field.node.value {
                return u32::try_from(units).ok();
            }
            reader.mismatch(field, "capacity units per second, 1 to 1000000");
            None
        })
    };
    let (read, write) = (units("read"), units("write"));
    reader.finish(&fields);
    let budget = Budget {
        read: read.ok()?,
        write: write.ok()?,
    };
    if budget.read.is_none() && budget.write.is_none() {
        reader.wrong(field, "says nothing; add read: or write:, or leave it out");
        return None;
    }
    Some(budget)
}

fn bucket(reader: &mut Reader, field: &Field<'_>, declared: &Declared) -> Option<Place> {
    let mut fields = reader.fields(
        field,
        "{ bucket: media, objects: \"avatars/{customer_id}/\" }",
    )?;
    let bucket = fields.required(reader, "bucket", "bucket: and its name").and_then(|field| {
        let advice = "a bucket's name is 3 to 63 of a-z 0-9 - . and begins and ends with a letter or digit";
        reader.parsed(&field, |text| owned_if(text, names::is_bucket), advice)
    });
    let is_records = RECORD_KEYS.iter().any(|key| fields.has(key));
    if is_records {
        let why = "stands beside prefix, format or compression: objects are either one subject's \
                   each (objects) or hold rows of many (prefix, format); make two stores";
        fields.refuse(reader, "objects", why);
        return records(reader, fields, bucket);
    }
    let advice = "objects: \"avatars/{customer_id}/\" for objects of one subject each, or prefix: \
                  and format: for rows of many subjects";
    let objects = fields
        .required(reader, "objects", advice)
        .and_then(|field| {
            let text = reader.text(&field)?;
            match KeyTemplate::parse(&text) {
                Ok(template) => {
                    declared.check(reader, template.kind(), field.node.mark, &field.path);
                    Some(template)
                }
                Err(error) => {
                    reader.wrong(&field, error.to_string());
                    None
                }
            }
        });
    // A misspelt `format` must not be called unknown without saying that it is known elsewhere.
    for key in RECORD_KEYS {
        fields.optional(key);
    }
    reader.finish(&fields);
    Some(Place::S3Objects(S3Objects {
        bucket: bucket?,
        objects: objects?,
    }))
}

fn records(reader: &mut Reader, mut fields: Fields<'_>, bucket: Option<String>) -> Option<Place> {
    let advice = "prefix: and where keys begin, such as events/; prefix: \"\" for the whole bucket";
    let prefix = fields.required(reader, "prefix", advice).and_then(|field| {
        let is_prefix = |text: &str| {
            text.len() <= 1024 && !text.starts_with('/') && !text.chars().any(char::is_control)
        };
        let advice = "write where keys begin, without a slash before it";
        reader.parsed(&field, |text| owned_if(text, is_prefix), advice)
    });
    let format = fields
        .required(reader, "format", "format: jsonl, csv or parquet")
        .and_then(|field| {
            let formats = [
                ("jsonl", RecordFormat::Jsonl),
                ("csv", RecordFormat::Csv(Dialect::default())),
                ("parquet", RecordFormat::Parquet),
            ];
            reader.word(&field, &formats)
        });
    let compression = optional(&mut fields, "compression", |field| {
        if format == Some(RecordFormat::Parquet) {
            reader.wrong(
                field,
                "parquet files say by themselves how they are compressed; leave it out",
            );
            return None;
        }
        let codecs = [
            ("none", Compression::None),
            ("gzip", Compression::Gzip),
            ("zstd", Compression::Zstd),
            ("snappy", Compression::Snappy),
        ];
        reader.word(field, &codecs)
    });
    let dialect = csv::dialect(reader, &mut fields, format);
    reader.finish(&fields);
    let format = match format? {
        RecordFormat::Csv(_) => RecordFormat::Csv(dialect?),
        other @ (RecordFormat::Jsonl | RecordFormat::Parquet) => other,
    };
    Some(Place::S3Records(S3Records {
        bucket: bucket?,
        prefix: prefix?,
        format,
        compression: compression.ok()?.unwrap_or(Compression::None),
    }))
}

fn attestation(reader: &mut Reader, field: &Field<'_>) -> Option<Place> {
    let mut fields = reader.fields(field, "{ by: crm-team, within: 10d }")?;
    let by = fields
        .required(reader, "by", "by: and who attests, such as crm-team")
        .and_then(|field| reader.text(&field));
    let within = fields
        .required(
            reader,
            "within",
            "within: and how long they have, such as 10d",
        )
        .and_then(|field| {
            reader.parsed(
                &field,
                names::days,
                "write days or weeks, such as 10d or 2w",
            )
        });
    reader.finish(&fields);
    Some(Place::Attested(Attested {
        by: by?,
        within_days: within?,
    }))
}

/// The keys that only a record store has.
const RECORD_KEYS: [&str; 4] = ["prefix", "format", "compression", "csv"];
