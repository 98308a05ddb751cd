//! What a setting's text means, where it means more than itself.

use std::path::PathBuf;

use quittance_tlog::{KeyKind, VerifierKey};

/// Parses the verifier keys of logs, at least one; none if one of them is none.
pub fn log_keys(text: &str) -> Option<Vec<VerifierKey>> {
    let parse = |vkey| {
        let key = VerifierKey::parse(vkey).ok()?;
        (key.kind() == KeyKind::Ed25519).then_some(key)
    };
    let keys: Option<Vec<VerifierKey>> = text.split_whitespace().map(parse).collect();
    keys.filter(|keys| !keys.is_empty())
}

/// Where a key lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A key in KMS, by id, ARN or alias.
    Kms(String),
    /// A file that only its owner may read; made when it is missing.
    File(PathBuf),
}

impl KeySource {
    /// Parses `kms:<id>` or `file:<path>`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("kms", id) if !id.is_empty() => Some(Self::Kms(id.to_owned())),
            ("file", path) if !path.is_empty() => Some(Self::File(path.into())),
            _ => None,
        }
    }
}

/// Where a document lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file, such as one packed beside the program.
    File(PathBuf),
    /// In a bucket.
    Object {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
}

impl Place {
    /// Parses a path or `s3://bucket/key`.
    pub fn parse(text: &str) -> Option<Self> {
        let Some(object) = text.strip_prefix("s3://") else {
            return (!text.is_empty()).then(|| Self::File(text.into()));
        };
        let (bucket, key) = object.split_once('/')?;
        (!bucket.is_empty() && !key.is_empty()).then(|| Self::Object {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }
}

/// How mails leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailRoute {
    /// Through SES, from this address.
    Ses(String),
    /// Into this folder, a file each.
    Folder(PathBuf),
}

impl MailRoute {
    /// Parses an address or `dir:<path>`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("dir:") {
            return (!path.is_empty()).then(|| Self::Folder(path.into()));
        }
        (text.contains('@') && !text.contains(['\r', '\n'])).then(|| Self::Ses(text.to_owned()))
    }
}
