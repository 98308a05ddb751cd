//! YAML text to a tree that knows where everything stands.
//!
//! Bounded on purpose: one document, no anchors, aliases or tags, limited size and depth, no key
//! twice. What the tree means is decided in `reading` and `parse`.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::problem::{Problem, Problems};

/// A place in the text, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) value: Value,
}

/// A value, typed by YAML's core schema.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing is written.
    Empty,
    /// A written null.
    Null,
    Boolean(bool),
    Integer(i64),
    /// A number that is no 64-bit integer, as written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) mark: Mark,
    pub(super) value: Node,
}

impl Node {
    /// Says what this is, for messages.
    pub(super) fn what(&self) -> &'static str {
        match &self.value {
            Value::Empty => "nothing",
            Value::Null => "null",
            Value::Boolean(_) => "true or false",
            Value::Integer(_) | Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Reads one document, and what is wrong with it without making it unreadable.
pub(super) fn read(text: &str) -> Result<(Node, Vec<Problem>), Problems> {
    let start = Mark { line: 1, column: 1 };
    if text.len() > MAX_BYTES {
        return Err(stop(
            start,
            "the data map is larger than 1 MiB; split it by deployment",
        ));
    }
    let mut building = Building::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let mark = Mark {
                line: error.marker().line(),
                column: error.marker().col() + 1,
            };
            stop(mark, &format!("this is not YAML: {}", error.info()))
        })?;
        building.take(event, span)?;
    }
    let Building { root, problems, .. } = building;
    let root = root.filter(|node| !matches!(node.value, Value::Empty));
    let root = root.ok_or_else(|| stop(start, "the data map is empty; begin with `version: 1`"))?;
    Ok((root, problems))
}

#[derive(Default)]
struct Building {
    root: Option<Node>,
    open: Vec<Open>,
    problems: Vec<Problem>,
}

/// A collection whose end has not come.
enum Open {
    List(Mark, Vec<Node>),
    Map(Mark, Vec<Entry>, Option<(String, Mark)>),
}

impl Building {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problems> {
        let mark = Mark {
            line: span.start.line(),
            column: span.start.col() + 1,
        };
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                if self.root.is_some() {
                    return Err(stop(
                        mark,
                        "a second document begins; a data map is one document",
                    ));
                }
            }
            Event::Alias(_) => {
                return Err(stop(mark, "aliases (*name) are not allowed; write it out"));
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_decoration(mark, anchor, tag.is_some())?;
                let value = scalar(&text, style);
                self.put(Node { mark, value })?;
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_decoration(mark, anchor, tag.is_some())?;
                self.open(mark, Open::List(mark, Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                refuse_decoration(mark, anchor, tag.is_some())?;
                self.open(mark, Open::Map(mark, Vec::new(), None))?;
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(mark, nodes)) => {
                    self.put(Node {
                        mark,
                        value: Value::List(nodes),
                    })?;
                }
                Some(Open::Map(mark, entries, _)) => {
                    self.put(Node {
                        mark,
                        value: Value::Map(entries),
                    })?;
                }
                None => return Err(stop(mark, "something ends that never began")),
            },
        }
        Ok(())
    }

    fn open(&mut self, mark: Mark, open: Open) -> Result<(), Problems> {
        if self.open.len() >= MAX_DEPTH {
            return Err(stop(mark, "this is nested deeper than a data map ever is"));
        }
        self.open.push(open);
        Ok(())
    }

    fn put(&mut self, node: Node) -> Result<(), Problems> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, nodes)) => nodes.push(node),
            Some(Open::Map(_, entries, pending)) => match pending.take() {
                None => *pending = Some((key_of(&node)?, node.mark)),
                Some((_, mark)) if entries.len() >= MAX_KEYS => {
                    return Err(stop(
                        mark,
                        "this mapping has more keys than a data map ever has",
                    ));
                }
                Some((key, mark)) => {
                    if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                        let message = format!(
                            "the key `{}` stands here twice, first in line {}; keep one",
                            shown(&key),
                            first.mark.line,
                        );
                        self.problems.push(at(mark, message));
                    } else {
                        entries.push(Entry {
                            key,
                            mark,
                            value: node,
                        });
                    }
                }
            },
        }
        Ok(())
    }
}

/// Returns a text as it may be repeated in a message: short, without control characters.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_SHOWN)
        .collect();
    if text.chars().count() > MAX_SHOWN {
        short.push('…');
    }
    short
}

fn key_of(node: &Node) -> Result<String, Problems> {
    match &node.value {
        Value::Text(text) | Value::Number(text) => Ok(text.clone()),
        Value::Empty => Ok(String::new()),
        Value::Null => Ok("null".to_owned()),
        Value::Boolean(value) => Ok(value.to_string()),
        Value::Integer(value) => Ok(value.to_string()),
        Value::List(_) | Value::Map(_) => Err(stop(
            node.mark,
            "a key must be text; found a list or mapping in its place",
        )),
    }
}

fn refuse_decoration(mark: Mark, anchor: usize, has_tag: bool) -> Result<(), Problems> {
    if anchor != 0 {
        return Err(stop(mark, "anchors (&name) are not allowed; leave it out"));
    }
    if has_tag {
        return Err(stop(mark, "tags (!name) are not allowed; leave it out"));
    }
    Ok(())
}

/// Types a scalar: only plain ones can be anything but text.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Text(text.to_owned());
    }
    match text {
        "" => Value::Empty,
        "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Boolean(true),
        "false" | "False" | "FALSE" => Value::Boolean(false),
        _ => number(text).unwrap_or_else(|| Value::Text(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Some(Value::Integer(integer));
    }
    let is_number = text.parse::<f64>().is_ok()
        || digits
            .strip_prefix("0x")
            .is_some_and(|hex| u64::from_str_radix(hex, 16).is_ok())
        || digits
            .strip_prefix("0o")
            .is_some_and(|octal| u64::from_str_radix(octal, 8).is_ok());
    is_number.then(|| Value::Number(text.to_owned()))
}

fn stop(mark: Mark, message: &str) -> Problems {
    Problems(vec![at(mark, message.to_owned())])
}

fn at(mark: Mark, message: String) -> Problem {
    Problem {
        line: mark.line,
        column: mark.column,
        path: String::new(),
        message,
    }
}

const MAX_BYTES: usize = 1024 * 1024;
const MAX_KEYS: usize = 1024;
const MAX_DEPTH: usize = 16;
const MAX_SHOWN: usize = 60;
