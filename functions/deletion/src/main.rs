//! The bootstrap of the deletion function.

use quittance_aws::lambda;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let adapters = lambda::start(&quittance_deletion::NEEDS).await?;
    let map = lambda::data_map(&adapters).await?;
    let worker = quittance_deletion::wire(&adapters, map, lambda::handler())?;
    lambda::serve_queue(&worker).await
}
