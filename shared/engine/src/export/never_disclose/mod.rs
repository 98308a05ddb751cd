//! Finds what 11 CCR 7024(d) says must never be in an answer, and what to say instead.
//!
//! Three parts: [`rules`] is the table (data), [`names`] compares attribute names with it word by
//! word, [`patterns`] recognises numbers that prove themselves (checksums, fixed shapes). Both err
//! on the side of withholding, because the notice tells the person how to get the value, while a
//! disclosed number cannot be taken back. Truth values, nulls and empty texts are never withheld.

pub(super) mod names;
pub(super) mod patterns;
mod rules;

pub use rules::Kind;
pub(super) use rules::{CITATION, Rule};

/// What stands in a withheld value's place: which kind of data, never the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Notice {
    /// The kind, as the regulation lists it.
    pub kind: Kind,
    /// What exactly we hold: `passport number`.
    pub what: &'static str,
}

impl Notice {
    pub(super) const fn of(rule: &Rule) -> Self {
        Self {
            kind: rule.kind,
            what: rule.what,
        }
    }

    /// Returns the sentence that stands in tables, where the value would.
    pub(super) fn sentence(self) -> String {
        let kind = self.kind.words();
        if kind == self.what {
            format!("withheld: {kind} ({CITATION}); we hold this kind of data about you")
        } else {
            let what = self.what;
            format!("withheld: {kind}: {what} ({CITATION}); we hold this kind of data about you")
        }
    }

    /// Returns the short mark that stands inside a longer text.
    pub(super) fn mark(self) -> String {
        format!("[withheld: {} ({CITATION})]", self.what)
    }
}
