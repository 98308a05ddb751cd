//! The bootstrap of the clock function.

use quittance_aws::lambda;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let adapters = lambda::start(&quittance_clock::NEEDS).await?;
    let map = lambda::data_map(&adapters).await?;
    let ticker = quittance_clock::wire(&adapters, &map)?;
    let ticker = &ticker;
    lambda::serve_schedule(|| quittance_clock::handle(ticker)).await
}
