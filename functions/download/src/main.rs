//! The bootstrap of the download function.

use quittance_aws::lambda;
use quittance_aws::shutdown::until_ended;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let adapters = lambda::start(&quittance_download::NEEDS).await?;
    let download = quittance_download::wire(&adapters)?;
    let map = lambda::data_map(&adapters).await?;
    let router = quittance_download::router(download, &map);
    until_ended(lambda_http::run(router)).await
}
