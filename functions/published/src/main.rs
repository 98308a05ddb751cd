//! The bootstrap of the function that hands out what anybody may read.

use quittance_aws::lambda;

// Lambda gives a function little more than one processor at most: one thread does all, and starts sooner.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let (function, map) = lambda::start_with_map(&quittance_published::NEEDS).await?;
    let router = quittance_published::router(quittance_published::wire(&function.adapters, &map)?);
    function.ending.after(lambda_http::run(router)).await
}
