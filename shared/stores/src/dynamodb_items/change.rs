//! What an effect wants of an item, and the update that gets it there.
//!
//! Pure: an item as read and a list of changes give one update expression and the conditions under
//! which it is still right. Nothing here talks to DynamoDB.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use quittance_core::data_map::{DeletionRule, Mask, OptOutRule, ScalarValue, Segment, Store};
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::pseudonym::{self, Pseudonyms};
use quittance_core::request::Right;

use super::expression::Bindings;
use super::path::{self, Step};
use super::probe::{Equals, Probe};
use super::value::{self, Attributes};

/// What a right wants of an item.
#[derive(Clone, PartialEq)]
pub(super) enum Aim {
    /// That it is gone.
    Delete,
    /// That these fields are so.
    Change(Vec<Change>),
    /// Nothing.
    Keep,
}

/// What a field is to be.
#[derive(Clone, PartialEq)]
pub(super) struct Change {
    pub(super) path: Vec<Segment>,
    to: To,
}

#[derive(Clone, PartialEq)]
enum To {
    /// Gone.
    Nothing,
    /// This, where the field exists.
    Mask(AttributeValue),
    /// A pseudonym, where the field exists. Without the key none can be made.
    Pseudonym(Option<Pseudonyms>),
    /// Without these elements of a set or a list: what stands at a path inside an element, or the
    /// element itself. Of nobody known in particular, any element is one.
    Without(Vec<(Vec<Segment>, Equals)>),
    /// This, also where the field does not exist yet.
    Value(AttributeValue),
}

/// One update: its expression, and what must hold.
pub(super) struct Update {
    pub(super) expression: String,
    pub(super) conditions: Vec<String>,
    /// Whether it does everything that was open.
    pub(super) is_whole: bool,
}

impl Aim {
    /// Reads from the data map what a right wants.
    pub(super) fn of(
        store: &Store,
        right: Right,
        pseudonyms: Option<&Pseudonyms>,
        probes: &[Probe],
    ) -> Self {
        match (right, &store.deletion, &store.opt_out) {
            (Right::Deletion, DeletionRule::DeleteItem, _) => Self::Delete,
            (Right::Deletion, DeletionRule::Redact { fields: masks, .. }, _) => Self::Change(
                masks
                    .iter()
                    .map(|(path, mask)| Change::mask(path.segments(), *mask, pseudonyms, probes))
                    .collect(),
            ),
            (Right::OptOut, _, OptOutRule::Set(flags)) => Self::Change(
                flags
                    .iter()
                    .map(|(path, flag)| Change::flag(path.segments(), flag))
                    .collect(),
            ),
            (Right::Access, _, _)
            | (Right::Deletion, DeletionRule::Retain(_), _)
            | (Right::OptOut, _, OptOutRule::Attest | OptOutRule::NoFlag) => Self::Keep,
        }
    }

    /// Whether the item is what this wants already.
    pub(super) fn is_met(&self, item: &Attributes) -> bool {
        match self {
            Self::Change(changes) => changes.iter().all(|change| change.is_made(item)),
            Self::Delete | Self::Keep => false,
        }
    }
}

impl Change {
    fn mask(
        path: &[Segment],
        mask: Mask,
        pseudonyms: Option<&Pseudonyms>,
        probes: &[Probe],
    ) -> Self {
        let to = match mask {
            Mask::TakeOut => {
                let subjects = probes.iter().flat_map(Probe::lookups).map(|l| &l.subject);
                let inside = subjects.filter_map(|subject| {
                    let rest = subject.path.strip_prefix(path)?;
                    Some((rest.to_vec(), subject.clone()))
                });
                To::Without(inside.collect())
            }
            Mask::Pseudonym => To::Pseudonym(pseudonyms.cloned()),
            Mask::Fixed => To::Mask(AttributeValue::S(Mask::TEXT.to_owned())),
            Mask::Null => To::Mask(AttributeValue::Null(true)),
            // Taking an element out would move the next one to its position, and then that one...
            Mask::Remove if matches!(path.last(), Some(Segment::At(_))) => {
                To::Mask(AttributeValue::Null(true))
            }
            Mask::Remove => To::Nothing,
        };
        Self {
            path: path.to_vec(),
            to,
        }
    }

    fn flag(path: &[Segment], flag: &ScalarValue) -> Self {
        let value = match flag {
            ScalarValue::Boolean(truth) => AttributeValue::Bool(*truth),
            ScalarValue::Integer(number) => AttributeValue::N(number.to_string()),
            ScalarValue::Text(text) => AttributeValue::S(text.clone()),
        };
        Self {
            path: path.to_vec(),
            to: To::Value(value),
        }
    }

    /// Whether the item is as this change wants it.
    pub(super) fn is_made(&self, item: &Attributes) -> bool {
        self.open(item).is_empty()
    }

    /// Lists the places that are not as they should be.
    fn open(&self, item: &Attributes) -> Vec<Vec<Step>> {
        let places = match &self.to {
            To::Nothing | To::Mask(_) | To::Pseudonym(_) | To::Without(_) => {
                path::places(item, &self.path)
            }
            To::Value(_) => self.landing(item),
        };
        let is_open = |place: &Vec<Step>| match &self.to {
            To::Nothing => true,
            To::Without(theirs) => path::look(item, place)
                .is_some_and(|found| theirs.is_empty() || elements(found, theirs).is_some()),
            To::Pseudonym(names) => {
                !path::look(item, place).is_some_and(|found| is_named(found, names.as_ref()))
            }
            To::Mask(wanted) | To::Value(wanted) => {
                path::look(item, place).is_none_or(|found| !value::equal(found, wanted))
            }
        };
        places.into_iter().filter(is_open).collect()
    }

    /// Lists where the value belongs, there or not: below every parent that exists, or, when a path
    /// without lists has no parent yet, at the path itself.
    fn landing(&self, item: &Attributes) -> Vec<Vec<Step>> {
        let Some((Segment::Name(last), parents)) = self.path.split_last() else {
            return path::places(item, &self.path);
        };
        let below: Vec<Vec<Step>> = path::places(item, parents)
            .iter()
            .map(|parent| path::joined(parent, Step::Name(last.clone())))
            .collect();
        if !below.is_empty() {
            return below;
        }
        let plain: Option<Vec<Step>> = self
            .path
            .iter()
            .map(|segment| match segment {
                Segment::Name(name) => Some(Step::Name(name.clone())),
                Segment::At(_) | Segment::Each => None,
            })
            .collect();
        plain.into_iter().collect()
    }
}

/// Plans the next update; none when everything is as it should be. What stands at an `anchor`
/// identifies the item: it changes with the last update, or the rest would be nobody's.
///
/// # Errors
/// A field stands where the data map expects a map: `SchemaMismatch`.
pub(super) fn plan(
    item: &Attributes,
    changes: &[Change],
    anchors: &[Vec<Step>],
    bindings: &mut Bindings,
) -> Result<Option<Update>, Fault> {
    let (anchored, mut open): (Vec<_>, Vec<_>) = changes
        .iter()
        .flat_map(|change| {
            change
                .open(item)
                .into_iter()
                .map(|place| (place, &change.to))
        })
        .partition(|(place, _)| anchors.iter().any(|anchor| path::overlap(anchor, place)));
    if open.is_empty() && anchored.is_empty() {
        return Ok(None);
    }
    let is_whole =
        open.is_empty() || open.len().saturating_add(anchored.len()) <= PLACES_PER_UPDATE;
    if is_whole {
        open.extend(anchored);
    } else {
        open.truncate(PLACES_PER_UPDATE);
    }
    let mut parts = Parts::default();
    for (place, to) in open {
        parts.add(item, &place, to, bindings)?;
    }
    Ok(Some(parts.finish(bindings, is_whole)))
}

#[derive(Default)]
struct Parts {
    sets: Vec<String>,
    removes: Vec<String>,
    deletes: Vec<String>,
    conditions: BTreeSet<String>,
    /// Lists whose conditions are written already.
    lists: BTreeSet<Vec<Step>>,
    /// Maps to be made because something is to be set in them.
    births: BTreeMap<Vec<Step>, AttributeValue>,
}

impl Parts {
    fn add(
        &mut self,
        item: &Attributes,
        place: &[Step],
        to: &To,
        bindings: &mut Bindings,
    ) -> Result<(), Fault> {
        self.pin_lists(item, place, bindings);
        match to {
            To::Nothing => {
                let text = bindings.place(place);
                self.conditions.insert(format!("attribute_exists({text})"));
                self.removes.push(text);
            }
            To::Mask(mask) => {
                let text = bindings.place(place);
                self.conditions.insert(format!("attribute_exists({text})"));
                self.sets
                    .push(format!("{text} = {}", bindings.value(mask.clone())));
            }
            To::Without(theirs) => {
                let text = bindings.place(place);
                self.conditions.insert(format!("attribute_exists({text})"));
                let found = path::look(item, place);
                match found.and_then(|found| elements(found, theirs)) {
                    Some(set @ (AttributeValue::Ss(_) | AttributeValue::Ns(_))) => {
                        let set = bindings.value(set);
                        self.deletes.push(format!("{text} {set}"));
                    }
                    Some(_) => self.removes.push(text),
                    None => {}
                }
            }
            To::Pseudonym(names) => {
                let names = names.as_ref().ok_or_else(|| {
                    Fault::reject("fields are to be pseudonymised, and there is no key for it")
                })?;
                let found = path::look(item, place).and_then(value::scalar);
                let found = found.ok_or(Fault::Block(BlockReason::SchemaMismatch))?;
                let text = bindings.place(place);
                self.conditions.insert(format!("attribute_exists({text})"));
                let name = bindings.value(AttributeValue::S(names.of(&found)));
                self.sets.push(format!("{text} = {name}"));
            }
            To::Value(wanted) => self.add_value(item, place, wanted, bindings)?,
        }
        Ok(())
    }

    /// Sets a value where its parents are, or makes the first parent that is missing. Only names
    /// that the expression uses may be bound.
    fn add_value(
        &mut self,
        item: &Attributes,
        place: &[Step],
        wanted: &AttributeValue,
        bindings: &mut Bindings,
    ) -> Result<(), Fault> {
        let there = (1..place.len())
            .take_while(|length| path::look(item, head(place, *length)).is_some())
            .last()
            .unwrap_or_default();
        if there > 0 {
            let parent = head(place, there);
            if !matches!(path::look(item, parent), Some(AttributeValue::M(_))) {
                return Err(Fault::Block(BlockReason::SchemaMismatch));
            }
            let parent = bindings.place(parent);
            self.conditions
                .insert(format!("attribute_exists({parent})"));
        }
        if there.saturating_add(1) == place.len() {
            let text = bindings.place(place);
            self.sets
                .push(format!("{text} = {}", bindings.value(wanted.clone())));
        } else {
            let (born, inside) = place.split_at(there.saturating_add(1));
            let empty = || AttributeValue::M(HashMap::new());
            let map = self.births.entry(born.to_vec()).or_insert_with(empty);
            set_inside(map, inside, wanted);
        }
        Ok(())
    }

    /// A position means something only while the list is the one that was read.
    fn pin_lists(&mut self, item: &Attributes, place: &[Step], bindings: &mut Bindings) {
        let Some(first) = place.iter().position(|step| matches!(step, Step::Index(_))) else {
            return;
        };
        let list = head(place, first);
        if let Some(read) = path::look(item, list)
            && self.lists.insert(list.to_vec())
        {
            let text = bindings.place(list);
            self.conditions
                .insert(format!("{text} = {}", bindings.value(read.clone())));
        }
    }

    fn finish(mut self, bindings: &mut Bindings, is_whole: bool) -> Update {
        for (place, map) in self.births {
            let text = bindings.place(&place);
            self.conditions
                .insert(format!("attribute_not_exists({text})"));
            self.sets.push(format!("{text} = {}", bindings.value(map)));
        }
        let clause = |verb: &str, parts: &[String]| {
            (!parts.is_empty()).then(|| format!("{verb} {}", parts.join(", ")))
        };
        let clauses = [
            clause("SET", &self.sets),
            clause("REMOVE", &self.removes),
            clause("DELETE", &self.deletes),
        ];
        let clauses: Vec<String> = clauses.into_iter().flatten().collect();
        Update {
            expression: clauses.join(" "),
            conditions: self.conditions.into_iter().collect(),
            is_whole,
        }
    }
}

/// Returns what of a set, or whether an element of a list, is theirs: as a set, or as it is.
fn elements(found: &AttributeValue, theirs: &[(Vec<Segment>, Equals)]) -> Option<AttributeValue> {
    let mine = |wrap: fn(String) -> AttributeValue, texts: &[String]| {
        let is_mine = |text: &&String| {
            let element = wrap((*text).clone());
            theirs
                .iter()
                .any(|(rest, equals)| rest.is_empty() && equals.accepts(&element))
        };
        texts
            .iter()
            .filter(is_mine)
            .cloned()
            .collect::<Vec<String>>()
    };
    if let AttributeValue::Ss(texts) = found {
        let mine = mine(AttributeValue::S, texts);
        return (!mine.is_empty()).then_some(AttributeValue::Ss(mine));
    }
    if let AttributeValue::Ns(texts) = found {
        let mine = mine(AttributeValue::N, texts);
        return (!mine.is_empty()).then_some(AttributeValue::Ns(mine));
    }
    let is_mine = theirs.iter().any(|(rest, equals)| {
        let inside = path::within(found, rest);
        inside.into_iter().any(|found| equals.accepts(found))
    });
    is_mine.then(|| found.clone())
}

/// Whether a pseudonym stands there, or nothing that could get one.
fn is_named(found: &AttributeValue, names: Option<&Pseudonyms>) -> bool {
    let Ok(text) = found.as_s() else {
        return found.is_null();
    };
    text.is_empty()
        || match names {
            Some(names) => names.made(text),
            None => pseudonym::looks_like_one(text),
        }
}

fn set_inside(map: &mut AttributeValue, place: &[Step], wanted: &AttributeValue) {
    let AttributeValue::M(entries) = map else {
        return;
    };
    match place {
        [Step::Name(name)] => {
            entries.insert(name.clone(), wanted.clone());
        }
        [Step::Name(name), rest @ ..] => {
            let inner = entries
                .entry(name.clone())
                .or_insert_with(|| AttributeValue::M(HashMap::new()));
            set_inside(inner, rest, wanted);
        }
        [] | [Step::Index(_), ..] => {}
    }
}

fn head(place: &[Step], length: usize) -> &[Step] {
    place.get(..length).unwrap_or(place)
}

/// How many places one update changes; DynamoDB bounds an expression's operands.
const PLACES_PER_UPDATE: usize = 50;

#[cfg(test)]
mod tests {
    use quittance_core::data_map::FieldPath;

    use super::*;

    fn change(path: &str, to: To) -> Change {
        Change {
            path: FieldPath::parse(path).unwrap().segments().to_vec(),
            to,
        }
    }

    fn text(text: &str) -> AttributeValue {
        AttributeValue::S(text.to_owned())
    }

    fn map(entries: &[(&str, AttributeValue)]) -> Attributes {
        entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    #[test]
    fn flags_are_set_in_maps_that_do_not_exist_yet() {
        let yes = AttributeValue::Bool(true);
        let changes = [
            change("prefs.sale.no", To::Value(yes.clone())),
            change("prefs.sharing", To::Value(yes.clone())),
        ];
        let mut bindings = Bindings::default();
        let update = plan(&Attributes::new(), &changes, &[], &mut bindings)
            .unwrap()
            .unwrap();
        assert_eq!(update.expression, "SET #n0 = :v0");
        assert_eq!(update.conditions, ["attribute_not_exists(#n0)"]);
        let expected = AttributeValue::M(map(&[
            ("sale", AttributeValue::M(map(&[("no", yes.clone())]))),
            ("sharing", yes),
        ]));
        let (names, values) = bindings.finish();
        // DynamoDB refuses names that no expression uses.
        assert_eq!(names.unwrap().into_values().collect::<Vec<_>>(), ["prefs"]);
        let item = map(&[("prefs", values.unwrap().remove(":v0").unwrap())]);
        assert_eq!(item.get("prefs"), Some(&expected));
        assert!(changes.iter().all(|change| change.is_made(&item)));
    }

    #[test]
    fn a_flag_below_a_text_is_a_schema_mismatch() {
        let changes = [change("prefs.no", To::Value(AttributeValue::Bool(true)))];
        let item = map(&[("prefs", text("none"))]);
        let planned = plan(&item, &changes, &[], &mut Bindings::default());
        assert_eq!(
            planned.err(),
            Some(Fault::Block(BlockReason::SchemaMismatch))
        );
    }

    #[test]
    fn a_long_list_is_changed_in_several_updates_each_bound_to_the_list_read() {
        let list = AttributeValue::L((0..120).map(|n| text(&n.to_string())).collect());
        let item = map(&[("notes", list)]);
        let changes = [change("notes[]", To::Mask(text("x")))];
        let update = plan(&item, &changes, &[], &mut Bindings::default())
            .unwrap()
            .unwrap();
        assert!(!update.is_whole);
        assert_eq!(update.expression.matches(" = ").count(), PLACES_PER_UPDATE);
        assert_eq!(
            update
                .conditions
                .iter()
                .filter(|text| text.contains(" = "))
                .count(),
            1
        );
    }

    #[test]
    fn nothing_is_open_where_nothing_is_to_mask() {
        let changes = [
            change("name", To::Mask(text("x"))),
            change("phones[].number", To::Nothing),
            change("phones[].hidden", To::Value(AttributeValue::Bool(true))),
        ];
        let item = map(&[
            ("name", text("x")),
            ("phones", AttributeValue::L(Vec::new())),
        ]);
        assert!(Aim::Change(changes[..2].to_vec()).is_met(&item));
        assert!(
            plan(&item, &changes, &[], &mut Bindings::default())
                .unwrap()
                .is_none()
        );
    }
}
