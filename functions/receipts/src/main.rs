//! The bootstrap of the receipts function.

use quittance_aws::lambda;

// Lambda gives a function little more than one processor at most: one thread does all, and starts sooner.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let function = lambda::start(&quittance_receipts::NEEDS).await?;
    let receipts = quittance_receipts::wire(&function.adapters, lambda::handler()).await?;
    lambda::serve(function.ending, &receipts, &receipts).await
}
