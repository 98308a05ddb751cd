//! Where a field is inside an item or a record.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A dotted path such as `user.email`, `phones[0].number` or `contacts[].email`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldPath {
    text: String,
    segments: Vec<Segment>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The field of this name.
    Name(String),
    /// The list's element at this position, from 0.
    At(usize),
    /// Every element of the list.
    Each,
}

impl FieldPath {
    /// Parses a path: names of up to 255 bytes, up to 16 steps, no blanks around names.
    pub fn parse(text: &str) -> Option<Self> {
        let mut segments = Vec::new();
        for part in text.split('.') {
            let (name, brackets) = match part.find('[') {
                Some(at) => part.split_at(at),
                None => (part, ""),
            };
            if !is_name(name) {
                return None;
            }
            segments.push(Segment::Name(name.to_owned()));
            read_brackets(brackets, &mut segments)?;
        }
        (segments.len() <= MAX_SEGMENTS).then(|| Self {
            text: text.to_owned(),
            segments,
        })
    }

    /// Returns the path's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the steps, at least one; the first is a name.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Returns the name of the first step.
    pub fn root(&self) -> &str {
        match self.segments.first() {
            Some(Segment::Name(name)) => name,
            Some(Segment::At(_) | Segment::Each) | None => "",
        }
    }

    /// Whether one of the two lies inside the other, or may.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.segments
            .iter()
            .zip(&other.segments)
            .all(|(one, other)| match (one, other) {
                (Segment::Name(one), Segment::Name(other)) => one == other,
                (Segment::At(one), Segment::At(other)) => one == other,
                (Segment::Each, Segment::At(_) | Segment::Each)
                | (Segment::At(_), Segment::Each) => true,
                (Segment::Name(_), Segment::At(_) | Segment::Each)
                | (Segment::At(_) | Segment::Each, Segment::Name(_)) => false,
            })
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for FieldPath {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or(PATH_ADVICE)
    }
}

impl From<FieldPath> for String {
    fn from(path: FieldPath) -> Self {
        path.text
    }
}

/// Says how a path is written.
pub(super) const PATH_ADVICE: &str =
    "write a path such as email, user.email, phones[0].number or contacts[].email";

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name.trim() == name
        && !name.chars().any(|c| c.is_control() || c == ']')
}

/// Reads `[]`, `[3]` and rows of them.
fn read_brackets(mut text: &str, segments: &mut Vec<Segment>) -> Option<()> {
    while !text.is_empty() {
        let (inside, rest) = text.strip_prefix('[')?.split_once(']')?;
        segments.push(if inside.is_empty() {
            Segment::Each
        } else {
            let position: u16 = inside.parse().ok()?;
            // One spelling per path: no `[007]`, no `[+7]`.
            (position.to_string() == inside).then_some(Segment::At(usize::from(position)))?
        });
        text = rest;
    }
    Some(())
}

const MAX_SEGMENTS: usize = 16;
