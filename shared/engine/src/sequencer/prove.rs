//! Making the receipt of an entry once more, against another checkpoint than its batch's.
//!
//! Witnesses cosign later, and a log's key may be changed: both times what was sequenced long ago is proven
//! anew. The envelope is what it was; only proof and checkpoint are others.

use quittance_core::fault::Fault;
use quittance_core::id::LeafId;
use quittance_core::receipt::{Envelope, ReceiptFile};
use quittance_tlog::{Note, TlogProof, VerifierKey, inclusion_proof, inclusion_proof_paths};

use super::keys::Keys;
use super::{Sequencer, paths};

/// What receipts are proven against: a checkpoint with the log's line, one of each witness, and no other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Against<'a> {
    pub(super) keys: &'a Keys,
    /// The key that signed it.
    pub(super) log: &'a VerifierKey,
    pub(super) witnesses: &'a [VerifierKey],
    pub(super) note: &'a Note,
    pub(super) size: u64,
}

impl Sequencer {
    /// Makes an entry's receipt; none if there is no envelope that it could be made of, or none that a key
    /// known here signed, or the statement contradicts itself.
    pub(super) async fn prove(
        &self,
        against: &Against<'_>,
        index: u64,
        leaf: &LeafId,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let stored = self.evidence.read(&paths::envelope(leaf)).await?;
        let Some(envelope) = stored.and_then(|bytes| Envelope::parse(&bytes).ok()) else {
            return Ok(None);
        };
        let Some(signer) = against.keys.signer_of(&envelope) else {
            return Ok(None);
        };
        let failed = |error| Fault::reject(format!("log: an inclusion proof: {error}"));
        let wanted = inclusion_proof_paths(against.size, index).map_err(failed)?;
        let tiles = self.read_tiles(wanted).await?;
        let proof = TlogProof {
            extra: None,
            index,
            path: inclusion_proof(against.size, index, &tiles).map_err(failed)?,
            checkpoint: against.note.clone(),
        };
        let built = ReceiptFile::build(&envelope, signer, against.log, against.witnesses, &proof);
        Ok(built.ok())
    }
}
