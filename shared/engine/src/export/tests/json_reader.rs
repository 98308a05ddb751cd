//! A small JSON reader that keeps numbers as text, and undoes the package's conventions.

use crate::record::Datum;

#[derive(Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// Reads a whole document; `serde_json` checks that it is one.
pub(super) fn read(document: &str) -> Json {
    serde_json::from_str::<serde::de::IgnoredAny>(document).unwrap();
    let mut rest = document;
    let json = value(&mut rest);
    assert!(rest.trim().is_empty());
    json
}

pub(super) fn records_of(document: &Json) -> &[Json] {
    let Json::Object(members) = document else {
        panic!("no object")
    };
    assert_eq!(members.len(), 3);
    let Json::List(records) = &members[2].1 else {
        panic!("no records")
    };
    records
}

/// Undoes the conventions, as `README.txt` tells them.
pub(super) fn datum_of(json: &Json) -> Datum {
    match json {
        Json::Null => Datum::Null,
        Json::Bool(value) => Datum::Bool(*value),
        Json::Number(text) => Datum::Number(text.clone()),
        Json::Text(text) => Datum::Text(text.clone()),
        Json::List(all) => Datum::List(all.iter().map(datum_of).collect()),
        Json::Object(members) => match members.as_slice() {
            [(name, inner)] if name.starts_with('$') && !name.starts_with("$$") => {
                convention(name, inner)
            }
            _ => Datum::Map(
                members
                    .iter()
                    .map(|(name, inner)| {
                        assert!(!name.starts_with('$') || name.starts_with("$$"), "{name}");
                        let genuine = name.strip_prefix('$').unwrap_or(name);
                        (genuine.to_owned(), datum_of(inner))
                    })
                    .collect(),
            ),
        },
    }
}

fn convention(name: &str, inner: &Json) -> Datum {
    match (name, inner) {
        ("$binary", Json::Text(text)) => {
            Datum::Bytes(data_encoding::BASE64.decode(text.as_bytes()).unwrap())
        }
        ("$set", Json::List(all)) => Datum::Set(all.iter().map(datum_of).collect()),
        ("$number", Json::Text(text)) => Datum::Number(text.clone()),
        _ => panic!("unknown convention {name}"),
    }
}

fn value(rest: &mut &str) -> Json {
    *rest = rest.trim_start();
    match rest.chars().next().unwrap() {
        '{' => Json::Object(members(rest, '}', |rest| {
            let Json::Text(name) = value(rest) else {
                panic!("no name")
            };
            *rest = rest.trim_start().strip_prefix(':').unwrap();
            (name, value(rest))
        })),
        '[' => Json::List(members(rest, ']', value)),
        '"' => {
            let mut escaped = false;
            let end = rest[1..]
                .find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                })
                .unwrap();
            let (text, tail) = rest.split_at(end + 2);
            *rest = tail;
            Json::Text(serde_json::from_str(text).unwrap())
        }
        _ => {
            let end = rest
                .find(|c: char| ",]} \n".contains(c))
                .unwrap_or(rest.len());
            let (word, tail) = rest.split_at(end);
            *rest = tail;
            match word {
                "null" => Json::Null,
                "true" => Json::Bool(true),
                "false" => Json::Bool(false),
                number => Json::Number(number.to_owned()),
            }
        }
    }
}

fn members<T>(rest: &mut &str, close: char, mut one: impl FnMut(&mut &str) -> T) -> Vec<T> {
    let mut all = Vec::new();
    *rest = rest[1..].trim_start();
    while !rest.starts_with(close) {
        all.push(one(rest));
        *rest = rest.trim_start();
        if let Some(tail) = rest.strip_prefix(',') {
            *rest = tail.trim_start();
        }
    }
    *rest = &rest[1..];
    all
}
