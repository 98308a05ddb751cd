//! Probes: the data map's ways to find a subject, filled with the question's identifiers.
//!
//! A probe is both a way to search and a test whether an item is this subject's.

use aws_sdk_dynamodb::types::AttributeValue;
use quittance_core::data_map::{
    Coverage, FieldPath, FindHow, IdentifierRule, KeyQuery, Segment, SortKey, SortTest, Store,
    ValueTemplate,
};
use quittance_core::manifest::KeyValue;
use quittance_core::outcome::CheckMethod;
use quittance_core::subject::{IdentifierKind, IdentifierValue, Identifiers};

use super::path::{self, Step};
use super::value::{self, Attributes};
use crate::Rules;

/// One search that a question needs.
#[derive(Clone, PartialEq)]
pub(super) enum Probe {
    /// By the table's own key.
    Key(Lookup),
    /// By reading everything; any of these makes an item match.
    Scan(Vec<Lookup>),
    /// By a secondary index that holds every item.
    Index {
        /// Its name.
        index: String,
        /// What to look for.
        lookup: Lookup,
    },
}

/// What to look for: the field that identifies the subject, and perhaps a sort key.
#[derive(Clone, PartialEq)]
pub(super) struct Lookup {
    pub(super) subject: Equals,
    pub(super) sort: Option<Sort>,
}

/// A field that must have a value.
#[derive(Clone, PartialEq)]
pub(super) struct Equals {
    pub(super) path: Vec<Segment>,
    pub(super) value: AttributeValue,
    /// Where the field may be spelled otherwise: how it is compared, and with what.
    pub(super) spelling: Option<(IdentifierRule, IdentifierValue)>,
}

/// A condition on the sort key.
#[derive(Clone, PartialEq)]
pub(super) enum Sort {
    /// The key begins with this text.
    BeginsWith { name: String, text: String },
    /// The key is this value.
    Equals(Equals),
}

/// Lists a question's probes: by key, then at most one scan, then by index. Duplicates are dropped.
pub(super) fn probes(store: &Store, identifiers: &Identifiers, rules: &Rules) -> Vec<Probe> {
    let mut keys = Vec::new();
    let mut scanned = Vec::new();
    let mut indexes = Vec::new();
    for find in &store.find {
        for identifier in identifiers.of(&find.kind) {
            match &find.how {
                FindHow::Key(query) => keys.extend(Lookup::new(query, identifier).map(Probe::Key)),
                FindHow::Index {
                    index,
                    query,
                    coverage: Coverage::Complete,
                } => {
                    let probe = |lookup| Probe::Index {
                        index: index.clone(),
                        lookup,
                    };
                    indexes.extend(Lookup::new(query, identifier).map(probe));
                }
                // An index that may omit items proves nothing: the scan finds what it holds, too.
                FindHow::Index {
                    index: _,
                    query,
                    coverage: Coverage::Partial,
                } => {
                    let mut lookup = Lookup::new(query, identifier);
                    if let Some(lookup) = &mut lookup
                        && query.value == ValueTemplate::bare(find.kind.clone())
                    {
                        lookup.subject.spelling = spelling(&find.kind, identifier, rules);
                    }
                    scanned.extend(lookup);
                }
                // The data map has them in records only; `AwsStores::open` blocks any other.
                FindHow::Columns(_) => {}
                FindHow::Field(field) => {
                    let mut lookup = Lookup::field(field, identifier);
                    lookup.subject.spelling = spelling(&find.kind, identifier, rules);
                    scanned.push(lookup);
                }
            }
        }
    }
    let scan = (!scanned.is_empty()).then_some(Probe::Scan(scanned));
    let mut probes: Vec<Probe> = Vec::new();
    for probe in keys.into_iter().chain(scan).chain(indexes) {
        if !probes.contains(&probe) {
            probes.push(probe);
        }
    }
    probes
}

fn spelling(
    kind: &IdentifierKind,
    identifier: &IdentifierValue,
    rules: &Rules,
) -> Option<(IdentifierRule, IdentifierValue)> {
    rules
        .get(kind)
        .map(|rule| (rule.clone(), identifier.clone()))
}

/// Returns the weakest way in which these probes look.
pub(super) fn method(probes: &[Probe]) -> CheckMethod {
    if probes.iter().any(|probe| matches!(probe, Probe::Scan(_))) {
        CheckMethod::Scan
    } else if probes
        .iter()
        .any(|probe| matches!(probe, Probe::Index { .. }))
    {
        CheckMethod::IndexQuery
    } else {
        CheckMethod::Key
    }
}

impl Probe {
    /// Whether an item is what this probe looks for.
    pub(super) fn holds(&self, item: &Attributes) -> bool {
        self.lookups().iter().any(|lookup| lookup.holds(item))
    }

    /// Whether the probe sees everything that was there when it looked.
    pub(super) fn is_consistent(&self) -> bool {
        match self {
            Self::Key(_) | Self::Scan(_) => true,
            Self::Index { .. } => false,
        }
    }

    /// Lists what makes an item match: any of these.
    pub(super) fn lookups(&self) -> &[Lookup] {
        match self {
            Self::Key(lookup) | Self::Index { index: _, lookup } => std::slice::from_ref(lookup),
            Self::Scan(any) => any,
        }
    }
}

impl Lookup {
    /// Fills a question by key; none when no such key can exist, as for letters in a number.
    fn new(query: &KeyQuery, identifier: &IdentifierValue) -> Option<Self> {
        let value = match query.partition(identifier)? {
            KeyValue::S(text) => AttributeValue::S(text),
            KeyValue::N(number) => AttributeValue::N(number),
            // No identifier is bytes.
            KeyValue::B(_) => return None,
        };
        let path = vec![Segment::Name(query.key.clone())];
        let subject = Equals {
            path,
            value,
            spelling: None,
        };
        Some(Self {
            subject,
            sort: query.sort.as_ref().map(Sort::new),
        })
    }

    fn field(field: &FieldPath, identifier: &IdentifierValue) -> Self {
        let value = AttributeValue::S(identifier.expose().to_owned());
        let subject = Equals {
            path: field.segments().to_vec(),
            value,
            spelling: None,
        };
        Self {
            subject,
            sort: None,
        }
    }

    /// Returns the first place at which the item names the subject, if it is what this looks for.
    pub(super) fn anchor(&self, item: &Attributes) -> Option<Vec<Step>> {
        if !self.holds(item) {
            return None;
        }
        path::places(item, &self.subject.path)
            .into_iter()
            .find(|place| path::look(item, place).is_some_and(|found| self.subject.accepts(found)))
    }

    /// Whether an item is what this looks for.
    pub(super) fn holds(&self, item: &Attributes) -> bool {
        self.subject.holds(item) && self.sort.as_ref().is_none_or(|sort| sort.holds(item))
    }
}

impl Equals {
    /// Whether the item has the value in this field.
    pub(super) fn holds(&self, item: &Attributes) -> bool {
        path::values(item, &self.path)
            .into_iter()
            .any(|found| self.accepts(found))
    }

    /// Whether a value found is the one looked for, perhaps in another spelling.
    pub(super) fn accepts(&self, found: &AttributeValue) -> bool {
        value::equal(found, &self.value)
            || self.spelling.as_ref().is_some_and(|(rule, wanted)| {
                value::texts(found)
                    .into_iter()
                    .any(|raw| rule.normalise(raw).is_ok_and(|value| value == *wanted))
            })
    }
}

impl Sort {
    fn new(sort: &SortKey) -> Self {
        match &sort.test {
            SortTest::BeginsWith(text) => Self::BeginsWith {
                name: sort.key.clone(),
                text: text.clone(),
            },
            SortTest::Equals(text) => Self::Equals(Equals {
                path: vec![Segment::Name(sort.key.clone())],
                value: AttributeValue::S(text.clone()),
                spelling: None,
            }),
        }
    }

    fn holds(&self, item: &Attributes) -> bool {
        match self {
            Self::BeginsWith { name, text } => {
                matches!(item.get(name), Some(AttributeValue::S(found)) if found.starts_with(text))
            }
            Self::Equals(equals) => equals.holds(item),
        }
    }
}
