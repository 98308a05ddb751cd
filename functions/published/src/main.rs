//! The bootstrap of the function that hands out what anybody may read.

use quittance_aws::lambda;
use quittance_aws::shutdown::until_ended;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let adapters = lambda::start(&quittance_published::NEEDS).await?;
    let map = lambda::data_map(&adapters).await?;
    let router = quittance_published::router(quittance_published::wire(&adapters, &map)?);
    until_ended(lambda_http::run(router)).await
}
