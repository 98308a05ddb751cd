//! The bootstrap of the clock function.

use quittance_aws::lambda;
use quittance_clock::Clockwork;

// Lambda gives a function little more than one processor at most: one thread does all, and starts sooner.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let (function, map) = lambda::start_with_map(&quittance_clock::NEEDS).await?;
    let clock = Clockwork(quittance_clock::wire(&function.adapters, &map)?);
    lambda::serve(function.ending, &clock, &clock).await
}
