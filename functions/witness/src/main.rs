//! The bootstrap of the witness.

use quittance_aws::lambda;
use quittance_aws::shutdown::until_ended;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let adapters = lambda::start(&quittance_witness::NEEDS).await?;
    let router = quittance_witness::router(adapters.witness().await?);
    until_ended(lambda_http::run(router)).await
}
