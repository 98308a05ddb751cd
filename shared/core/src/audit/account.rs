//! Reading what is audited: manifests and receipts, verified and found in the log.

use quittance_tlog::{Hash, leaf_hash};

use super::{Finding, FindingKind};
use crate::id::LeafId;
use crate::receipt::{CheckName, CheckVerdict, Manifest, Policy, ReceiptFile, Statement, verify};

/// A manifest that verifies, and where it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its file's name.
    pub name: String,
    /// Its leaf.
    pub leaf_index: u64,
    /// What it says.
    pub manifest: Manifest,
}

impl Account {
    /// Reads and verifies a manifest's receipt file, which must stand in the log with these leaf
    /// hashes. Witnesses are asked for on the log's checkpoint, not on each file's.
    ///
    /// # Errors
    ///
    /// A [`Finding`] that says what is wrong with it.
    pub fn read(
        name: &str,
        bytes: &[u8],
        policy: &Policy,
        leaves: &[Hash],
    ) -> Result<Self, Finding> {
        let forged = |told: &str| Finding::file(FindingKind::Forged, name, told);
        let (statement, leaf_index) = read(FindingKind::Forged, name, bytes, policy, leaves)?;
        let Statement::Manifest(manifest) = statement else {
            return Err(forged("it is a receipt of something else"));
        };
        let account = Self {
            name: name.to_owned(),
            leaf_index,
            manifest,
        };
        if account.file_name() == name {
            Ok(account)
        } else {
            let told = format!("it is named as if it were not {}", account.file_name());
            Err(forged(&told))
        }
    }

    fn file_name(&self) -> String {
        LeafId::Manifest(self.manifest.day).file_name()
    }
}

/// Verifies a receipt file that stands in the log with these leaf hashes. Witnesses are asked for on
/// the log's checkpoint: a file may be older than its cosignatures. It may be older than the log's key,
/// too: its entry is looked for in the tree, and a withdrawn key proves nothing by itself.
pub(super) fn read(
    kind: FindingKind,
    name: &str,
    bytes: &[u8],
    policy: &Policy,
    leaves: &[Hash],
) -> Result<(Statement, u64), Finding> {
    let refused = |told: String| Finding::file(kind, name, told);
    let report = verify(bytes, &policy.looking_back());
    let wrong = report
        .checks
        .iter()
        .find(|check| check.verdict != CheckVerdict::Ok && check.name != CheckName::Policy);
    if let Some(check) = wrong {
        let (code, told) = (check.name.code(), &check.explanation);
        return Err(refused(format!("it does not verify: {code}: {told}")));
    }
    let file = ReceiptFile::parse(bytes).map_err(|error| refused(error.to_string()))?;
    let (Some(statement), Some(proof), Some(entry)) =
        (file.statement(), file.proof(), file.entry())
    else {
        return Err(refused("it cannot be read".to_owned()));
    };
    let there = usize::try_from(proof.index)
        .ok()
        .and_then(|at| leaves.get(at));
    if there == Some(&leaf_hash(&entry)) {
        Ok((statement, proof.index))
    } else {
        Err(refused(format!(
            "entry {} of this log is another",
            proof.index
        )))
    }
}
