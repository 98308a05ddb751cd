//! The bootstrap of the download function.

use quittance_aws::lambda;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let adapters = lambda::start(&quittance_download::NEEDS).await?;
    let download = quittance_download::wire(&adapters)?;
    lambda_http::run(quittance_download::router(download)).await
}
