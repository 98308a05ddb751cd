//! The bootstrap of the deletion function.

use quittance_aws::lambda;

// Lambda gives a function little more than one processor at most: one thread does all, and starts sooner.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let (function, map) = lambda::start_with_map(&quittance_deletion::NEEDS).await?;
    let worker = quittance_deletion::wire(&function.adapters, map, lambda::handler())?;
    lambda::serve_queue(function.ending, &worker).await
}
