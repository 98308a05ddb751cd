//! `dsr request confirm-identity`: staff answer for who asks, where a code could not.
//!
//! It accepts the request as the code would have, through the same use-case; the timeline tells the two
//! apart.

use std::path::Path;
use std::sync::Arc;

use quittance_aws::adapters::Adapters;
use quittance_aws::clock::SystemClock;
use quittance_core::data_map::DataMap;
use quittance_core::id::Reference;
use quittance_engine::intake::IntakeError;

use crate::printing::Failure;
use crate::{company, shop};

/// Confirms a draft.
pub(crate) async fn confirm(dir: Option<&Path>, reference: &Reference) -> Result<(), Failure> {
    let (adapters, map) = match dir {
        // A `dsr local` has one data map, its shop's.
        Some(dir) => (company::connect(dir).await?, shop::DATA_MAP.to_owned()),
        None => {
            let needs = &quittance_intake::NEEDS;
            let adapters = Adapters::from_env(needs, Arc::new(SystemClock)).await?;
            let map = adapters.data_map().await?;
            (adapters, map)
        }
    };
    let map = Arc::new(DataMap::parse(&map)?);
    let intake = quittance_intake::wire(&adapters, map, company::handler())?;
    match intake.confirm_identity(reference.as_str()).await {
        Ok(_) => Ok(()),
        Err(IntakeError::NotFound) => Err(Failure::not_found(format!(
            "there is no request {reference}, or it waited for its code for too long"
        ))),
        Err(error) => Err(error.into()),
    }
}
