//! The bootstrap of the access function.

use quittance_aws::lambda;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let adapters = lambda::start(&quittance_access::NEEDS).await?;
    let map = lambda::data_map(&adapters).await?;
    let worker = quittance_access::wire(&adapters, map, lambda::handler())?;
    lambda::serve_queue(&worker).await
}
