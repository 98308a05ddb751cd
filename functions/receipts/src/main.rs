//! The bootstrap of the receipts function.

use quittance_aws::lambda;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let adapters = lambda::start(&quittance_receipts::NEEDS).await?;
    let receipts = quittance_receipts::wire(&adapters, lambda::handler()).await?;
    lambda::serve(&receipts, &receipts).await
}
