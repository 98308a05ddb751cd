//! The bootstrap of the witness.

use quittance_aws::lambda;

// Less than one processor's time is this function's: one thread does all, and starts sooner.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let function = lambda::start(&quittance_witness::NEEDS).await?;
    let router = quittance_witness::router(function.adapters.witness().await?);
    function.ending.after(lambda_http::run(router)).await
}
