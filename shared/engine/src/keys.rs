//! The deployment's own HMAC keys. The door's key, which stands for codes and secrets, is apart:
//! only those who ask for codes have it ([`crate::intake::Intake::key`]).

use quittance_core::digest::HmacKey;

/// Keys for tags that must be comparable across requests. Per-request keys live in the vault.
#[derive(Clone, Debug)]
pub struct TagKeys {
    /// Finds a subject's open requests.
    pub subject: HmacKey,
    /// Recognises suppressed identifiers; its version is [`TagKeys::SUPPRESSION_VERSION`].
    pub suppression: HmacKey,
}

impl TagKeys {
    /// The version of the suppression key in use.
    pub const SUPPRESSION_VERSION: u32 = 1;

    /// Derives the key of pseudonyms: it must last as long as the suppression key, and goes with it.
    pub fn pseudonyms(&self) -> HmacKey {
        let key = self.suppression.tag("quittance-pseudonym-key/v1", &[]);
        HmacKey::new(*key.as_bytes())
    }
}
