//! `dsr request confirm-identity`: staff answer for who asks, where a code could not.
//!
//! It accepts the request as the code would have, through the same use-case; the timeline tells the two
//! apart.

use std::path::Path;

use quittance_core::id::Reference;
use quittance_engine::intake::IntakeError;

use crate::batch;
use crate::printing::Failure;

/// Confirms a draft.
pub(crate) async fn confirm(dir: Option<&Path>, reference: &Reference) -> Result<(), Failure> {
    let intake = batch::intake(dir).await?;
    match intake.confirm_identity(reference.as_str()).await {
        Ok(_) => Ok(()),
        Err(IntakeError::NotFound) => Err(Failure::not_found(format!(
            "there is no request {reference}, or it waited for its code for too long"
        ))),
        Err(error) => Err(error.into()),
    }
}
