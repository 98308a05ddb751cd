//! The bootstrap of the intake function.

use quittance_aws::lambda;
use quittance_aws::shutdown::until_ended;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let adapters = lambda::start(&quittance_intake::NEEDS).await?;
    let map = lambda::data_map(&adapters).await?;
    let intake = quittance_intake::wire(&adapters, map, lambda::handler())?;
    until_ended(lambda_http::run(quittance_intake::router(intake))).await
}
