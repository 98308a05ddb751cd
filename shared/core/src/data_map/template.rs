//! Texts with a place for one identifier: object keys and key attributes.
//!
//! Invariant: exactly one placeholder, so that a filled template always names somebody.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::subject::{IdentifierKind, IdentifierValue};

/// A text with exactly one placeholder, such as `USER#{customer_id}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ValueTemplate {
    before: String,
    kind: IdentifierKind,
    after: String,
}

impl ValueTemplate {
    /// Parses a template.
    ///
    /// # Errors
    /// [`TemplateError`], which says what to correct.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_BYTES || text.chars().any(char::is_control) {
            return Err(TemplateError::Text);
        }
        let (before, rest) = text.split_once('{').ok_or(TemplateError::NoPlaceholder)?;
        let (name, after) = rest.split_once('}').ok_or(TemplateError::Braces)?;
        if after.contains('{') {
            return Err(TemplateError::SeveralPlaceholders);
        }
        if before.contains('}') || after.contains('}') || name.contains('{') {
            return Err(TemplateError::Braces);
        }
        let kind = IdentifierKind::parse(name).ok_or(TemplateError::Name)?;
        Ok(Self {
            before: before.to_owned(),
            kind,
            after: after.to_owned(),
        })
    }

    /// Builds the template that is the identifier alone.
    pub fn bare(kind: IdentifierKind) -> Self {
        Self {
            before: String::new(),
            kind,
            after: String::new(),
        }
    }

    /// Returns the identifier that the placeholder names.
    pub fn kind(&self) -> &IdentifierKind {
        &self.kind
    }

    /// Puts the identifier in its place: personal data.
    pub fn fill(&self, value: &IdentifierValue) -> String {
        format!("{}{}{}", self.before, value.expose(), self.after)
    }
}

impl fmt::Display for ValueTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{{{}}}{}", self.before, self.kind, self.after)
    }
}

impl fmt::Debug for ValueTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for ValueTemplate {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<ValueTemplate> for String {
    fn from(template: ValueTemplate) -> Self {
        template.to_string()
    }
}

/// Which objects are one subject's: an exact key, or a prefix when it ends with `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyTemplate(ValueTemplate);

impl KeyTemplate {
    /// Parses a template such as `avatars/{customer_id}/` or `invoices/{customer_id}.pdf`.
    ///
    /// # Errors
    /// [`TemplateError`], which says what to correct.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let template = ValueTemplate::parse(text)?;
        if template.before.starts_with('/') {
            return Err(TemplateError::LeadingSlash);
        }
        if text.contains('*') {
            return Err(TemplateError::Star);
        }
        Ok(Self(template))
    }

    /// Returns the identifier that the placeholder names.
    pub fn kind(&self) -> &IdentifierKind {
        self.0.kind()
    }

    /// Whether it names a prefix, not one key.
    pub fn is_prefix(&self) -> bool {
        self.0.after.ends_with('/')
    }

    /// Puts the identifier in its place.
    ///
    /// # Errors
    /// [`UnsafeValue`] when the key would not be this subject's alone.
    pub fn fill(&self, value: &IdentifierValue) -> Result<FilledKey, UnsafeValue> {
        let text = value.expose();
        if text.is_empty()
            || matches!(text, "." | "..")
            || text.contains('/')
            || text.chars().any(char::is_control)
        {
            return Err(UnsafeValue);
        }
        let key = self.0.fill(value);
        // A longer key cannot exist: S3 holds 1024 bytes.
        if key.len() > MAX_BYTES {
            return Err(UnsafeValue);
        }
        Ok(if self.is_prefix() {
            FilledKey::Prefix(key)
        } else {
            FilledKey::Exact(key)
        })
    }
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl TryFrom<String> for KeyTemplate {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<KeyTemplate> for String {
    fn from(template: KeyTemplate) -> Self {
        template.to_string()
    }
}

/// A template with the identifier in its place: personal, `Debug` prints a mask.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FilledKey {
    /// One object's key.
    Exact(String),
    /// Everything whose key begins with this; it ends with `/`.
    Prefix(String),
}

impl fmt::Debug for FilledKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact(_) => "Exact(***)",
            Self::Prefix(_) => "Prefix(***)",
        })
    }
}

/// The identifier cannot stand in an object's key: other people's objects might match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the identifier cannot stand in an object's key")]
pub struct UnsafeValue;

/// Why a text is no template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Longer than an object's key can be, or with control characters.
    #[error("use at most 1024 bytes without control characters")]
    Text,
    /// Then it would match everybody's.
    #[error("has no placeholder; name an identifier in braces, such as {{customer_id}}")]
    NoPlaceholder,
    /// Two identifiers of one subject may come from different places.
    #[error("has several placeholders; use exactly one")]
    SeveralPlaceholders,
    /// A brace without its partner.
    #[error("has a brace without its partner; write placeholders as {{customer_id}}")]
    Braces,
    /// The placeholder is no identifier's name.
    #[error("has a placeholder that is no identifier's name; use a-z 0-9 _ - inside the braces")]
    Name,
    /// Keys in S3 begin without a slash.
    #[error("begins with a slash; keys in S3 do not: leave it out")]
    LeadingSlash,
    /// Somebody hoped for a wildcard.
    #[error("has a *; there are no wildcards: end with / for everything below")]
    Star,
}

const MAX_BYTES: usize = 1024;
