//! The bootstrap of the receipts function.

use quittance_aws::lambda;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let adapters = lambda::start(&quittance_receipts::NEEDS).await?;
    let sequencer = quittance_receipts::wire(&adapters).await?;
    let (sequencer, clock) = (&sequencer, adapters.clock());
    let clock = &*clock;
    let software = &lambda::handler();
    lambda::serve_queue(|message, until| async move {
        quittance_receipts::handle(sequencer, clock, &message, until, software, None).await
    })
    .await
}
