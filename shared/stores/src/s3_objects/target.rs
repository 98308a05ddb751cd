//! Which keys are a subject's: the store's template, filled with each identifier.

use quittance_core::data_map::{FilledKey, KeyTemplate};
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::subject::Identifiers;

/// One prefix, or one exact key.
pub(super) struct Target(FilledKey);

/// Fills the template with every identifier of its kind.
///
/// # Errors
/// Blocks as `UnsafeIdentifier` on a value that would reach into other subjects' keys.
pub(super) fn targets(
    template: &KeyTemplate,
    identifiers: &Identifiers,
) -> Result<Vec<Target>, Fault> {
    let filled = identifiers
        .of(template.kind())
        .map(|value| template.fill(value).map(Target));
    filled
        .collect::<Result<_, _>>()
        .map_err(|_| Fault::Block(BlockReason::UnsafeIdentifier))
}

impl Target {
    /// Whether a key is the subject's.
    pub(super) fn covers(&self, key: &str) -> bool {
        match &self.0 {
            FilledKey::Exact(exact) => key == exact,
            FilledKey::Prefix(prefix) => key.starts_with(prefix),
        }
    }

    /// Returns what to list.
    pub(super) fn prefix(&self) -> &str {
        match &self.0 {
            FilledKey::Exact(text) | FilledKey::Prefix(text) => text,
        }
    }

    /// Whether it is one key alone, not the longer keys that begin with it.
    pub(super) fn is_exact(&self) -> bool {
        match &self.0 {
            FilledKey::Exact(_) => true,
            FilledKey::Prefix(_) => false,
        }
    }
}
