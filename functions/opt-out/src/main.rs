//! The bootstrap of the opt-out function.

use quittance_aws::lambda;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let adapters = lambda::start(&quittance_opt_out::NEEDS).await?;
    let map = lambda::data_map(&adapters).await?;
    let worker = quittance_opt_out::wire(&adapters, map, lambda::handler())?;
    let worker = &worker;
    lambda::serve_queue(|message, until| async move { worker.handle(&message, until).await }).await
}
