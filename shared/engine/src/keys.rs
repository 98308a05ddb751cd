//! The deployment's own HMAC keys.

use quittance_core::digest::HmacKey;

/// Keys for tags that must be comparable across requests. Per-request keys live in the vault.
#[derive(Clone, Debug)]
pub struct TagKeys {
    /// Finds a subject's open requests.
    pub subject: HmacKey,
    /// Recognises suppressed identifiers; its version is [`TagKeys::SUPPRESSION_VERSION`].
    pub suppression: HmacKey,
    /// Client tokens, codes and status secrets.
    pub intake: HmacKey,
}

impl TagKeys {
    /// The version of the suppression key in use.
    pub const SUPPRESSION_VERSION: u32 = 1;
}
