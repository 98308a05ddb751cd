//! The bootstrap of the access function.

use quittance_aws::lambda;

// A little more than one processor's time is this function's: connections have a thread beside.
#[tokio::main(worker_threads = 1)]
async fn main() -> Result<(), lambda_runtime::Error> {
    let (function, map) = lambda::start_with_map(&quittance_access::NEEDS).await?;
    let worker = quittance_access::wire(&function.adapters, map, lambda::handler())?;
    lambda::serve_queue(function.ending, &worker).await
}
