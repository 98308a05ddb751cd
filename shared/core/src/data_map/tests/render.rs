//! Writing a map as a person would have written it.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::super::*;

/// Writes a map as the tree that a person would have written.
pub(super) fn render(map: &DataMap) -> Value {
    let identifiers: Map<String, Value> = map
        .identifiers
        .iter()
        .map(|(kind, rule)| {
            let rule = json!({
                "normalise": rule.normalise, "asked": rule.asked, "many": rule.many,
                "region": rule.region,
            });
            (kind.to_string(), without_nulls(rule))
        })
        .collect();
    let stores: Vec<Value> = map.stores.iter().map(render_store).collect();
    let controller = without_nulls(json!(map.controller));
    json!({ "version": 1, "controller": controller, "identifiers": identifiers, "stores": stores })
}

fn render_store(store: &Store) -> Value {
    let mut tree = json!({
        "id": store.id, "public_name": store.public_name, "residency": store.residency,
        "account": store.account.as_ref().map(|account| without_nulls(json!(account))),
        "about": without_nulls(json!(store.about)),
        "sweep": store.sweep.map(|sweep| json!({ "every": format!("{}m", sweep.every_minutes) })),
    });
    let (key, place, word) = match &store.place {
        Place::DynamoDb(place) => ("dynamodb", without_nulls(json!(place)), "delete_item"),
        Place::S3Objects(place) => ("s3", json!(place), "delete_objects"),
        Place::S3Records(place) if place.format == RecordFormat::Parquet => {
            let tree =
                json!({ "bucket": place.bucket, "prefix": place.prefix, "format": place.format });
            ("s3", tree, "delete_rows")
        }
        Place::S3Records(place) => {
            let mut tree = json!(place);
            if let RecordFormat::Csv(dialect) = place.format {
                let delimiter = match dialect.delimiter {
                    Delimiter::Comma => ",",
                    Delimiter::Pipe => "|",
                    Delimiter::Semicolon => ";",
                    Delimiter::Tab => "tab",
                };
                tree["format"] = json!("csv");
                tree["csv"] = json!({ "header": dialect.header, "delimiter": delimiter });
            }
            ("s3", tree, "delete_rows")
        }
        Place::Attested(place) => (
            "attested",
            json!({ "by": place.by, "within": format!("{}d", place.within_days) }),
            "",
        ),
    };
    tree[key] = place;
    if !store.find.is_empty() {
        tree["find"] = store.find.iter().map(render_find).collect();
    }
    if !store.yields.is_empty() {
        tree["yields"] = json!(store.yields);
    }
    if !store.access.exclude.is_empty() {
        tree["access"] = json!({ "exclude": store.access.exclude });
    }
    match &store.deletion {
        DeletionRule::DeleteItem if word.is_empty() => {}
        DeletionRule::DeleteItem => tree["deletion"] = json!(word),
        DeletionRule::Redact {
            fields: masks,
            rest,
        } => {
            let word = |mask: &Mask| match mask {
                Mask::Fixed => "mask",
                Mask::Null => "null",
                Mask::Pseudonym => "pseudonym",
                Mask::Remove => "remove",
                Mask::TakeOut => "take_out",
            };
            let masks: Map<String, Value> = masks
                .iter()
                .map(|(path, mask)| (path.to_string(), json!(word(mask))))
                .collect();
            tree["deletion"] = without_nulls(json!({ "redact": masks, "retain": rest }));
        }
        DeletionRule::Retain(retention) => {
            tree["deletion"] = json!({ "retain": retention });
        }
    }
    if !store.copies.is_empty() {
        tree["copies"] = json!(store.copies);
    }
    match &store.opt_out {
        OptOutRule::NoFlag => {}
        OptOutRule::Attest => tree["opt_out"] = json!("attest"),
        OptOutRule::Set(flags) => tree["opt_out"] = json!({ "set": flags }),
    }
    without_nulls(tree)
}

fn render_find(find: &Find) -> Value {
    let how = match &find.how {
        FindHow::Columns(columns) => return render_columns(columns),
        FindHow::Field(path) => json!({ "field": path }),
        FindHow::Key(query) => render_query(query),
        FindHow::Index {
            index,
            coverage,
            query,
        } => {
            let mut tree = render_query(query);
            tree["index"] = json!(index);
            tree["coverage"] = json!(coverage);
            tree
        }
    };
    json!({ find.kind.as_str(): how })
}

fn render_columns(columns: &[Column]) -> Value {
    let one = |column: &Column| {
        let tree = json!({ "field": column.field, "hash": column.hash });
        (column.kind.to_string(), without_nulls(tree))
    };
    columns.iter().map(one).collect::<Map<_, _>>().into()
}

fn render_query(query: &KeyQuery) -> Value {
    let sort = query.sort.as_ref().map(|sort| match &sort.test {
        SortTest::BeginsWith(text) => json!({ "key": sort.key, "begins_with": text }),
        SortTest::Equals(text) => json!({ "key": sort.key, "equals": text }),
    });
    without_nulls(json!({
        "key": query.key, "type": query.key_type, "value": query.value, "sort": sort,
    }))
}

fn without_nulls(tree: Value) -> Value {
    let Value::Object(fields) = tree else {
        return tree;
    };
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect::<Map<_, _>>()
        .into()
}

/// Writes a tree in YAML's block style.
pub(super) fn write_block(out: &mut String, tree: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match tree {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                write!(out, "\n{indent}{}:", json!(key)).unwrap();
                write_block(out, value, depth + 1);
            }
        }
        Value::Array(values) if !values.is_empty() => {
            for value in values {
                write!(out, "\n{indent}-").unwrap();
                write_block(out, value, depth + 1);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => write!(out, " {tree}").unwrap(),
    }
}
