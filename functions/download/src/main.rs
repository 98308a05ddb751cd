//! The bootstrap of the download function.

use quittance_aws::lambda;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let adapters = lambda::start(&quittance_download::NEEDS).await?;
    let download = quittance_download::wire(&adapters)?;
    let map = lambda::data_map(&adapters).await?;
    lambda_http::run(quittance_download::router(download, &map)).await
}
