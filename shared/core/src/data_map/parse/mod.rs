//! From a tree to a data map, noting everything that is wrong on the way.
//!
//! Stores are read in `stores`, what each right does in `rules`. What only shows when all stores
//! are known (who needs whom) is decided in `waves`, once every store by itself is right.

mod circumstances;
mod csv;
mod finds;
mod places;
mod rules;
mod stores;

use std::collections::BTreeMap;

use super::problem::Problems;
use super::reading::{Field, Fields, Reader, did_you_mean};
use super::store::{Line, Store};
use super::yaml::{Mark, Value, shown};
use super::{Controller, DataMap, IdentifierRule, Role, waves, yaml};
use crate::calendar::Zone;
use crate::id::StoreId;
use crate::subject::{IdentifierKind, Normalise, Region};

/// Parses a data map's text.
pub(super) fn parse(text: &str) -> Result<DataMap, Problems> {
    let (root, problems) = yaml::read(text)?;
    let mut reader = Reader { problems };
    let map = document(
        &mut reader,
        &Field {
            node: &root,
            path: String::new(),
        },
    );
    let Reader { mut problems } = reader;
    problems.sort();
    problems.dedup();
    match map {
        Some(map) if problems.is_empty() => Ok(map),
        Some(_) | None => Err(Problems(problems)),
    }
}

/// What is declared before stores are read; none when even that could not be read, so that its
/// absence is not reported once per use.
struct Declared(Option<BTreeMap<IdentifierKind, Option<IdentifierRule>>>);

fn document(reader: &mut Reader, root: &Field<'_>) -> Option<DataMap> {
    let mut fields = reader.fields(root, "`version: 1`, `controller:`, …")?;
    version(reader, &mut fields);
    let controller = fields
        .required(reader, "controller", CONTROLLER)
        .and_then(|field| controller(reader, &field));
    let rules = fields
        .required(
            reader,
            "identifiers",
            "identifiers: { email: { normalise: email } }",
        )
        .and_then(|field| identifiers(reader, &field));
    let declared = Declared(rules);
    let stores = fields
        .required(
            reader,
            "stores",
            "stores: and a list of the places that hold personal data",
        )
        .and_then(|field| stores::read(reader, &field, &declared));
    reader.finish(&fields);
    let identifiers: Option<BTreeMap<IdentifierKind, IdentifierRule>> =
        declared.0.and_then(|rules| {
            rules
                .into_iter()
                .map(|(kind, rule)| Some((kind, rule?)))
                .collect()
        });
    let waves = match (&identifiers, &stores) {
        (Some(identifiers), Some(stores)) => order(reader, identifiers, stores),
        (Some(_) | None, Some(_) | None) => None,
    };
    Some(DataMap::build(controller?, identifiers?, stores?, waves?))
}

fn version(reader: &mut Reader, fields: &mut Fields<'_>) {
    let Some(field) = fields.required(reader, "version", "version: 1") else {
        return;
    };
    match &field.node.value {
        Value::Integer(1) => {}
        Value::Integer(_) => {
            reader.wrong(&field, "this program reads version 1; write version: 1");
        }
        Value::Empty
        | Value::Null
        | Value::Boolean(_)
        | Value::Number(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Map(_) => reader.mismatch(&field, "the number 1"),
    }
}

fn controller(reader: &mut Reader, field: &Field<'_>) -> Option<Controller> {
    let mut fields = reader.fields(field, CONTROLLER)?;
    let id = fields
        .required(
            reader,
            "id",
            "id: and a short name for machines, such as example-shop",
        )
        .and_then(|field| {
            let id = |text: &str| StoreId::parse(text).map(String::from);
            reader.parsed(&field, id, ID_ADVICE)
        });
    let name = fields
        .required(reader, "name", "name: and the name that people know")
        .and_then(|field| reader.public_name(&field));
    let contact = fields
        .required(
            reader,
            "contact",
            "contact: and the mailbox for questions about privacy",
        )
        .and_then(|field| reader.text(&field));
    let role = fields
        .required(
            reader,
            "role",
            "role: controller (you decide about the data) or role: processor",
        )
        .and_then(|field| {
            let roles = [
                ("controller", Role::Controller),
                ("processor", Role::Processor),
            ];
            reader.word(&field, &roles)
        });
    let time_zone = optional(&mut fields, "time_zone", |field| {
        reader.parsed(field, Zone::parse, "write a name such as Europe/Berlin")
    });
    let authority = optional_text(reader, &mut fields, "authority");
    let automated_decisions = optional_text(reader, &mut fields, "automated_decisions");
    reader.finish(&fields);
    Some(Controller {
        id: id?,
        name: name?,
        contact: contact?,
        role: role?,
        time_zone: time_zone.ok()?,
        authority: authority.ok()?,
        automated_decisions: automated_decisions.ok()?,
    })
}

fn identifiers(
    reader: &mut Reader,
    field: &Field<'_>,
) -> Option<BTreeMap<IdentifierKind, Option<IdentifierRule>>> {
    let mut rules = BTreeMap::new();
    for (entry, field) in reader.named(field, "email: { normalise: email }")? {
        let rule = identifier(reader, &field, entry.mark);
        match IdentifierKind::parse(&entry.key) {
            Some(kind) => {
                rules.insert(kind, rule);
            }
            None => reader.note(entry.mark, &field.path, KIND_ADVICE),
        }
    }
    let known = || rules.values().all(Option::is_some);
    if rules.is_empty() {
        reader.wrong(
            field,
            "no identifier is declared; add email: { normalise: email }",
        );
    } else if known() && !rules.values().flatten().any(|rule| rule.asked) {
        reader.wrong(
            field,
            "no identifier can be given in a request; add asked: true to one that people know",
        );
    }
    Some(rules)
}

fn identifier(reader: &mut Reader, field: &Field<'_>, mark: Mark) -> Option<IdentifierRule> {
    let mut fields = reader.fields(field, "{ normalise: email }")?;
    let normalise = fields
        .required(
            reader,
            "normalise",
            "normalise: exact, email, phone, lower or digits",
        )
        .and_then(|field| {
            reader.word(
                &field,
                &Normalise::ALL.map(|normalise| (normalise.name(), normalise)),
            )
        });
    let asked = optional(&mut fields, "asked", |field| reader.boolean(field));
    let many = optional(&mut fields, "many", |field| reader.boolean(field));
    let region = optional(&mut fields, "region", |field| {
        let advice = "write two capital letters, such as DE";
        let region = reader.parsed(field, Region::parse, advice)?;
        if normalise.is_some_and(|normalise| normalise != Normalise::Phone) {
            reader.wrong(field, "only phone numbers have a region; leave it out");
            return None;
        }
        Some(region)
    });
    reader.finish(&fields);
    let normalise = normalise?;
    let usually = matches!(normalise, Normalise::Email | Normalise::Phone);
    Some(IdentifierRule {
        normalise,
        asked: asked.ok()?.unwrap_or(usually),
        many: many.ok()?.unwrap_or(false),
        region: region.ok()?,
        line: Line(mark.line),
    })
}

/// Finds the order of waves, or notes why there is none.
fn order(
    reader: &mut Reader,
    identifiers: &BTreeMap<IdentifierKind, IdentifierRule>,
    stores: &[Store],
) -> Option<BTreeMap<StoreId, u32>> {
    let asked = identifiers
        .iter()
        .filter(|(_, rule)| rule.asked)
        .map(|(kind, _)| kind.clone());
    match waves::order(stores, &asked.collect()) {
        Ok(waves) => Some(waves),
        Err(problems) => {
            reader.problems.extend(problems);
            None
        }
    }
}

impl Declared {
    /// Notes an identifier that is not declared.
    fn check(&self, reader: &mut Reader, kind: &IdentifierKind, mark: Mark, path: &str) {
        let Some(declared) = &self.0 else { return };
        if !declared.contains_key(kind) {
            let hint = did_you_mean(kind.as_str(), declared.keys().map(IdentifierKind::as_str));
            let message = format!(
                "the identifier `{kind}` is not declared{hint}; add {kind}: {{ normalise: exact }} \
                 under identifiers"
            );
            reader.note(mark, path, message);
        }
    }

    /// Parses the name of an identifier and notes when it is none, or not declared.
    fn kind(
        &self,
        reader: &mut Reader,
        name: &str,
        mark: Mark,
        path: &str,
    ) -> Option<IdentifierKind> {
        let Some(kind) = IdentifierKind::parse(name) else {
            reader.note(mark, path, format!("`{}`: {KIND_ADVICE}", shown(name)));
            return None;
        };
        self.check(reader, &kind, mark, path);
        Some(kind)
    }
}

/// That something is there and wrong, which is noted.
struct Noted;

/// Reads a key that may be missing.
fn optional<T>(
    fields: &mut Fields<'_>,
    key: &'static str,
    read: impl FnOnce(&Field<'_>) -> Option<T>,
) -> Result<Option<T>, Noted> {
    fields
        .optional(key)
        .map(|field| read(&field).ok_or(Noted))
        .transpose()
}

fn optional_text(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    key: &'static str,
) -> Result<Option<String>, Noted> {
    optional(fields, key, |field| reader.text(field))
}

/// Returns the text as its own, if it is right.
fn owned_if(text: &str, is_right: impl FnOnce(&str) -> bool) -> Option<String> {
    is_right(text).then(|| text.to_owned())
}

const CONTROLLER: &str = "controller: { id: example-shop, name: Example Shop, contact: privacy@example.org, role: controller }";
const ID_ADVICE: &str = "use 1 to 64 of a-z 0-9 _ - and begin with a letter";
const KIND_ADVICE: &str = "an identifier's name is 1 to 64 of a-z 0-9 _ - and begins with a letter";
