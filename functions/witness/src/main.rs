//! The bootstrap of the witness.

use quittance_aws::lambda;

// Lambda gives a function little more than one processor at most: one thread does all, and starts sooner.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let function = lambda::start(&quittance_witness::NEEDS).await?;
    let router = quittance_witness::router(function.adapters.witness().await?);
    function.ending.after(lambda_http::run(router)).await
}
