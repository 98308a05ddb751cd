//! The lossless copy: JSON with six documented conventions for what JSON cannot say.
//!
//! A number is a JSON number with the store's exact decimal text, however many digits. Objects with
//! a single name starting with one `$` are conventions: `$binary` (base64), `$set` (list),
//! `$number` (text that is no JSON number, such as `NaN`), `$withheld`, `$masked` and `$object`. A
//! genuine name starting with `$` gets one more `$`, so the two cannot be confused.

use std::fmt::Write as _;

use quittance_core::digest::Digest;

use super::never_disclose::{CITATION, Notice};
use super::shown::{Body, Fields, Shown, ShownObject, ShownRecord, ShownStore};

/// Writes one store's document.
pub(super) fn store_document(store: &ShownStore<'_>) -> String {
    let mut out = Writer::default();
    out.object(|out| {
        out.name("format").string(FORMAT);
        out.name("store").string(&store.source.public_name);
        out.name("records")
            .list(&store.records, |out, record| match record {
                ShownRecord::Item(fields) => out.fields(fields),
                ShownRecord::Object(object) => out.stored_object(object),
            });
    });
    out.text.push('\n');
    out.text
}

/// Writes one value on one line, for a table's cell.
pub(super) fn compact(value: &Shown<'_>) -> String {
    let mut out = Writer {
        compact: true,
        ..Writer::default()
    };
    out.value(value);
    out.text
}

/// Whether `text` is a number by JSON's grammar.
pub(super) fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

/// A genuine name, with one more `$` if it starts with one.
pub(super) fn escaped_name(name: &str) -> std::borrow::Cow<'_, str> {
    if name.starts_with('$') {
        format!("${name}").into()
    } else {
        name.into()
    }
}

/// Builds JSON text: names in the order given, two blanks of indentation unless compact.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) text: String,
    compact: bool,
    depth: usize,
    /// Whether the object or list at hand has a member already.
    has_members: bool,
}

impl Writer {
    pub(super) fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.enclosed('{', '}', members);
    }

    pub(super) fn list<T>(&mut self, all: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.enclosed('[', ']', |out| {
            for one in all {
                out.next_member();
                write(out, one);
            }
        });
    }

    pub(super) fn strings(&mut self, all: &[String]) {
        self.list(all, |out, one| out.string(one));
    }

    /// Writes a member's name; its value must follow.
    pub(super) fn name(&mut self, name: &str) -> &mut Self {
        self.next_member();
        self.string(name);
        self.text.push_str(if self.compact { ":" } else { ": " });
        self
    }

    pub(super) fn string(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                // Controls, and what editors and terminals obey instead of showing.
                '\0'..='\x1f'
                | '\x7f'..='\u{9f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => {
                    // Writing to a String cannot fail.
                    write!(self.text, "\\u{:04x}", u32::from(c)).unwrap_or_default();
                }
                _ => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    pub(super) fn number(&mut self, number: u64) {
        self.text.push_str(&number.to_string());
    }

    fn value(&mut self, value: &Shown<'_>) {
        match value {
            Shown::Null => self.text.push_str("null"),
            Shown::Bool(value) => self.text.push_str(if *value { "true" } else { "false" }),
            Shown::Number(text) if is_number(text) => self.text.push_str(text),
            Shown::Number(text) => self.object(|out| out.name("$number").string(text)),
            Shown::Text(text) => self.string(text),
            Shown::Bytes(bytes) => self.object(|out| {
                out.name("$binary")
                    .string(&data_encoding::BASE64.encode(bytes));
            }),
            Shown::List(all) => self.list(all, Self::value),
            Shown::Set(all) => self.object(|out| out.name("$set").list(all, Self::value)),
            Shown::Map(fields) => self.fields(fields),
            Shown::Withheld(notice) => self.withheld(*notice),
            Shown::Masked { text, notices } => self.object(|out| {
                out.name("$masked").object(|out| {
                    out.name("text").string(text);
                    out.name("withheld")
                        .list(notices, |out, notice| out.notice(*notice));
                });
            }),
        }
    }

    fn fields(&mut self, fields: &Fields<'_>) {
        self.object(|out| {
            for (name, value) in fields {
                out.name(&escaped_name(name)).value(value);
            }
        });
    }

    fn stored_object(&mut self, object: &ShownObject<'_>) {
        self.object(|out| {
            out.name("$object").object(|out| {
                out.name("key").value(&object.key);
                if let Some(version) = object.version {
                    out.name("version").string(version);
                }
                out.name("media_type").string(object.media_type);
                match &object.body {
                    Body::File { path, bytes } => {
                        out.name("file").string(path);
                        out.name("bytes")
                            .number(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                        out.name("sha256").string(&Digest::of(bytes).to_string());
                    }
                    Body::Withheld(notice) => out.name("file").withheld(*notice),
                }
                if !object.masked.is_empty() {
                    out.name("masked")
                        .list(&object.masked, |out, notice| out.notice(*notice));
                }
            });
        });
    }

    fn withheld(&mut self, notice: Notice) {
        self.object(|out| out.name("$withheld").notice(notice));
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.object(|out| {
            out.name("category").string(notice.kind.code());
            out.name("what").string(notice.what);
            out.name("rule").string(CITATION);
            out.name("notice").string(&notice.sentence());
        });
    }

    fn enclosed(&mut self, open: char, close: char, members: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.has_members, false);
        self.text.push(open);
        self.depth += 1;
        members(self);
        self.depth -= 1;
        if self.has_members {
            self.line();
        }
        self.text.push(close);
        self.has_members = outer;
    }

    fn next_member(&mut self) {
        if self.has_members {
            self.text.push(',');
        }
        self.has_members = true;
        self.line();
    }

    fn line(&mut self) {
        if !self.compact {
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n("  ", self.depth));
        }
    }
}

const FORMAT: &str = "quittance-export/1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_what_only_resembles_them() {
        for number in [
            "0",
            "-0",
            "10",
            "-1.50",
            "1e9",
            "1E+30",
            "12345678901234567890123456789012345678",
        ] {
            assert!(is_number(number), "{number}");
        }
        for text in [
            "", "-", "+1", "01", ".5", "5.", "1e", "NaN", "0x1", "1 ", "=1", "1,5", "--1",
        ] {
            assert!(!is_number(text), "{text}");
        }
    }
}
