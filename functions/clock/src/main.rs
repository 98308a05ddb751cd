//! The bootstrap of the clock function.

use quittance_aws::lambda;
use quittance_clock::Clockwork;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let adapters = lambda::start(&quittance_clock::NEEDS).await?;
    let map = lambda::data_map(&adapters).await?;
    let clock = Clockwork(quittance_clock::wire(&adapters, &map)?);
    lambda::serve(&clock, &clock).await
}
