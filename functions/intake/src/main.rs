//! The bootstrap of the intake function.

use quittance_aws::lambda;

// Lambda gives a function little more than one processor at most: one thread does all, and starts sooner.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let (function, map) = lambda::start_with_map(&quittance_intake::NEEDS).await?;
    let intake = quittance_intake::wire(&function.adapters, map, lambda::handler())?;
    function
        .ending
        .after(lambda_http::run(quittance_intake::router(intake)))
        .await
}
