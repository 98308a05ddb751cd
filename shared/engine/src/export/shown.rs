//! Records with everything taken out that must never be disclosed: what the writers see.
//!
//! [`Shown`] borrows from [`Datum`] and adds two cases, a value withheld and a text with numbers
//! masked. This is the only place that looks at a raw record, so no format can forget to filter.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::never_disclose::patterns::{self, BareDigits};
use super::never_disclose::{Notice, Rule, names};
use super::{StoreExport, media};
use crate::record::{Datum, Record};

/// A value as it may be disclosed.
pub(super) enum Shown<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(&'a str),
    Bytes(&'a [u8]),
    List(Vec<Self>),
    Set(Vec<Self>),
    Map(Fields<'a>),
    /// The value is not here; this is.
    Withheld(Notice),
    /// A text in which numbers were replaced by marks.
    Masked {
        text: String,
        notices: Vec<Notice>,
    },
}

pub(super) type Fields<'a> = BTreeMap<Cow<'a, str>, Shown<'a>>;

pub(super) enum ShownRecord<'a> {
    Item(Fields<'a>),
    Object(ShownObject<'a>),
}

pub(super) struct ShownObject<'a> {
    pub(super) key: Shown<'a>,
    pub(super) version: Option<&'a str>,
    pub(super) media_type: &'a str,
    pub(super) body: Body<'a>,
    /// What was masked inside the body.
    pub(super) masked: Vec<Notice>,
}

pub(super) enum Body<'a> {
    File { path: String, bytes: Cow<'a, [u8]> },
    Withheld(Notice),
}

pub(super) struct ShownStore<'a> {
    pub(super) source: &'a StoreExport,
    pub(super) slug: String,
    pub(super) records: Vec<ShownRecord<'a>>,
    pub(super) withheld: BTreeMap<Notice, u64>,
}

impl<'a> ShownStore<'a> {
    pub(super) fn of(source: &'a StoreExport, slug: String) -> Self {
        let mut filter = Filter::default();
        let mut files = 0_usize;
        let records = source
            .records
            .iter()
            .map(|record| match record {
                Record::Item(fields) => ShownRecord::Item(filter.fields(fields, &[])),
                Record::Object {
                    key,
                    version,
                    media_type,
                    bytes,
                } => {
                    files += 1;
                    let path = format!("files/{slug}/{}", media::file_name(files, media_type));
                    let (body, masked) = filter.body(key, media_type, bytes, path);
                    ShownRecord::Object(ShownObject {
                        key: filter.text(key, BareDigits::Reference),
                        version: version.as_deref(),
                        media_type,
                        body,
                        masked,
                    })
                }
            })
            .collect();
        Self {
            source,
            slug,
            records,
            withheld: filter.withheld,
        }
    }

    pub(super) fn json_path(&self) -> String {
        format!("data/{}.json", self.slug)
    }

    pub(super) fn csv_path(&self) -> String {
        format!("data/{}.csv", self.slug)
    }
}

/// Takes out and counts.
#[derive(Default)]
struct Filter {
    withheld: BTreeMap<Notice, u64>,
    /// Names are few and records many.
    known: BTreeMap<Vec<String>, Option<&'static Rule>>,
}

impl Filter {
    fn fields<'a>(&mut self, fields: &'a BTreeMap<String, Datum>, above: &[String]) -> Fields<'a> {
        let mut shown = Fields::new();
        for (name, datum) in fields {
            let mut words = above.to_vec();
            words.extend(names::words(name));
            let value = match self.rule_of(&words) {
                Some(rule) => self.withhold_within(datum, rule, &words),
                None => self.value(datum, &words),
            };
            shown.insert(self.name(name, &shown), value);
        }
        shown
    }

    fn value<'a>(&mut self, datum: &'a Datum, words: &[String]) -> Shown<'a> {
        match datum {
            Datum::Null => Shown::Null,
            Datum::Bool(value) => Shown::Bool(*value),
            Datum::Number(text) => Shown::Number(text),
            Datum::Text(text) => {
                let bare = if names::is_reference(words) {
                    BareDigits::Reference
                } else {
                    BareDigits::MayBeCard
                };
                self.text(text, bare)
            }
            Datum::Bytes(bytes) => Shown::Bytes(bytes),
            Datum::List(all) => Shown::List(all.iter().map(|one| self.value(one, words)).collect()),
            Datum::Set(all) => Shown::Set(all.iter().map(|one| self.value(one, words)).collect()),
            Datum::Map(fields) => Shown::Map(self.fields(fields, words)),
        }
    }

    /// The name of `datum` is on the list: its scalars go, its structure stays, and names inside
    /// it are looked at again (`passport.country` is not a number).
    fn withhold_within<'a>(
        &mut self,
        datum: &'a Datum,
        rule: &'static Rule,
        words: &[String],
    ) -> Shown<'a> {
        match datum {
            Datum::Null => Shown::Null,
            Datum::Bool(value) => Shown::Bool(*value),
            Datum::Text(text) if text.is_empty() => Shown::Text(text),
            Datum::Number(_) | Datum::Text(_) | Datum::Bytes(_) => {
                Shown::Withheld(self.count(Notice::of(rule)))
            }
            Datum::List(all) => Shown::List(
                all.iter()
                    .map(|one| self.withhold_within(one, rule, words))
                    .collect(),
            ),
            Datum::Set(all) => Shown::Set(
                all.iter()
                    .map(|one| self.withhold_within(one, rule, words))
                    .collect(),
            ),
            Datum::Map(fields) => Shown::Map(self.fields(fields, words)),
        }
    }

    fn text<'a>(&mut self, text: &'a str, bare: BareDigits) -> Shown<'a> {
        let found = patterns::find(text, bare);
        match found.as_slice() {
            [] => Shown::Text(text),
            [(range, notice)] if text.get(range.clone()) == Some(text.trim()) => {
                Shown::Withheld(self.count(*notice))
            }
            _ => {
                let (text, notices) = self.mask(text, found);
                Shown::Masked { text, notices }
            }
        }
    }

    /// A map can be keyed by what must not be disclosed. Marks that coincide are numbered.
    fn name<'a>(&mut self, name: &'a str, taken: &Fields<'_>) -> Cow<'a, str> {
        let found = patterns::find(name, BareDigits::Reference);
        if found.is_empty() {
            return Cow::Borrowed(name);
        }
        let (masked, _) = self.mask(name, found);
        let mut unique = masked.clone();
        let mut number = 2_u32;
        while taken.contains_key(unique.as_str()) {
            unique = format!("{masked} {number}");
            number += 1;
        }
        Cow::Owned(unique)
    }

    /// Words of the key count as names (`fingerprints/42.wsq`); numbers inside text are masked.
    fn body<'a>(
        &mut self,
        key: &str,
        media_type: &str,
        bytes: &'a [u8],
        path: String,
    ) -> (Body<'a>, Vec<Notice>) {
        let by_folder = key.split('/').find_map(|part| {
            let stem = part.rsplit_once('.').map_or(part, |(stem, _)| stem);
            self.rule_of(&names::words(stem))
        });
        if let Some(rule) = by_folder {
            return (Body::Withheld(self.count(Notice::of(rule))), Vec::new());
        }
        let text = media::is_text(media_type)
            .then(|| std::str::from_utf8(bytes).ok())
            .flatten();
        if let Some(text) = text {
            let found = patterns::find(text, BareDigits::MayBeCard);
            if !found.is_empty() {
                let (text, notices) = self.mask(text, found);
                return (
                    Body::File {
                        path,
                        bytes: Cow::Owned(text.into_bytes()),
                    },
                    notices,
                );
            }
        }
        (
            Body::File {
                path,
                bytes: Cow::Borrowed(bytes),
            },
            Vec::new(),
        )
    }

    fn mask(
        &mut self,
        text: &str,
        found: Vec<(std::ops::Range<usize>, Notice)>,
    ) -> (String, Vec<Notice>) {
        let mut masked = String::with_capacity(text.len());
        let mut notices = Vec::new();
        let mut copied = 0;
        for (range, notice) in found {
            masked.push_str(text.get(copied..range.start).unwrap_or_default());
            masked.push_str(&notice.mark());
            copied = range.end;
            notices.push(self.count(notice));
        }
        masked.push_str(text.get(copied..).unwrap_or_default());
        (masked, notices)
    }

    fn rule_of(&mut self, words: &[String]) -> Option<&'static Rule> {
        if let Some(known) = self.known.get(words) {
            return *known;
        }
        let rule = names::rule_of(words);
        // Maps can be keyed by ids, so the memory of names is bounded.
        if self.known.len() < 10_000 {
            self.known.insert(words.to_vec(), rule);
        }
        rule
    }

    fn count(&mut self, notice: Notice) -> Notice {
        *self.withheld.entry(notice).or_default() += 1;
        notice
    }
}
