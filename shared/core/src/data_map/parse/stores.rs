//! The list of stores: each by itself, and that no name is taken twice.

use std::collections::BTreeMap;

use super::super::reading::{Field, Reader};
use super::super::store::{Line, Store};
use super::super::yaml::Mark;
use super::places::PlaceKind;
use super::{
    Declared, ID_ADVICE, circumstances, csv, finds, optional, optional_text, places, rules,
};
use crate::id::StoreId;

/// Reads the list of stores; none when any of them is wrong.
pub(super) fn read(
    reader: &mut Reader,
    field: &Field<'_>,
    declared: &Declared,
) -> Option<Vec<Store>> {
    let fields = reader.list(field, "- id: customers")?;
    if fields.is_empty() {
        reader.wrong(
            field,
            "no store is named; add the places that hold personal data",
        );
    }
    if let Some(first) = fields.get(MAX_STORES) {
        let advice = format!(
            "one store more than the {MAX_STORES} that fit into a receipt; put stores of one kind together"
        );
        reader.wrong(first, advice);
    }
    let mut unique = Unique::default();
    let stores: Vec<Option<Store>> = fields
        .iter()
        .take(MAX_STORES)
        .map(|field| store(reader, field, declared, &mut unique))
        .collect();
    // With a name twice, every reference to it would mean two stores.
    stores
        .into_iter()
        .collect::<Option<Vec<Store>>>()
        .filter(|_| !unique.clash)
}

/// The most stores of a map: a receipt has a line for each, and must not be longer than a megabyte.
const MAX_STORES: usize = 200;

/// Where names were first used.
#[derive(Default)]
struct Unique {
    ids: BTreeMap<String, Mark>,
    public_names: BTreeMap<String, Mark>,
    clash: bool,
}

fn store(
    reader: &mut Reader,
    field: &Field<'_>,
    declared: &Declared,
    unique: &mut Unique,
) -> Option<Store> {
    let mut fields = reader.fields(field, "{ id: customers, public_name: …, dynamodb: … }")?;
    let id = fields
        .required(reader, "id", "id: and a short name for machines")
        .and_then(|field| {
            let id = reader.parsed(&field, StoreId::parse, ID_ADVICE)?;
            unique.clash |= is_taken(reader, &mut unique.ids, &field, id.as_str());
            Some(id)
        });
    let advice = "public_name: and what receipts and exports may call it; the id stays inside";
    let public_name = fields
        .required(reader, "public_name", advice)
        .and_then(|field| {
            let name = reader.public_name(&field)?;
            is_taken(
                reader,
                &mut unique.public_names,
                &field,
                &name.to_lowercase(),
            );
            Some(name)
        });
    // What else may stand here is judged by the kind of place, even where the place is wrong.
    let kind = PlaceKind::of(&fields);
    let place = places::place(reader, &mut fields, declared);
    let find = finds::finds(reader, &mut fields, kind, declared);
    let yields = finds::yields(reader, &mut fields, kind, declared);
    let find_or_none = find.as_deref().unwrap_or_default();
    let access = rules::access(reader, &mut fields, kind);
    let deletion = rules::deletion(reader, &mut fields, kind, find_or_none);
    let opt_out = rules::opt_out(reader, &mut fields, kind, find_or_none);
    let about = optional(&mut fields, "about", |field| {
        circumstances::about(reader, field)
    });
    let residency = optional_text(reader, &mut fields, "residency");
    let account = circumstances::account(reader, &mut fields, kind);
    let sweep = circumstances::sweep(reader, &mut fields, kind, find_or_none);
    let copies = circumstances::copies(reader, &mut fields, kind);
    reader.finish(&fields);
    let store = Store {
        id: id?,
        public_name: public_name?,
        place: place?,
        find: find?,
        yields: yields?,
        access: access?,
        deletion: deletion?,
        opt_out: opt_out?,
        about: about.ok()?.unwrap_or_default(),
        residency: residency.ok()?,
        account: account.ok()?,
        sweep: sweep.ok()?,
        copies: copies?,
        line: Line(field.node.mark.line),
    };
    csv::check(reader, field, &store);
    Some(store)
}

/// Notes a name that another store has, and remembers it otherwise.
fn is_taken(
    reader: &mut Reader,
    taken: &mut BTreeMap<String, Mark>,
    field: &Field<'_>,
    name: &str,
) -> bool {
    if let Some(first) = taken.get(name) {
        let message = format!(
            "the store in line {} has this name already; choose another",
            first.line
        );
        reader.wrong(field, message);
        return true;
    }
    taken.insert(name.to_owned(), field.node.mark);
    false
}
