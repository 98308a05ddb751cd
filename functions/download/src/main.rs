//! The bootstrap of the download function.

use quittance_aws::lambda;

// Lambda gives a function little more than one processor at most: one thread does all, and starts sooner.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let (function, map) = lambda::start_with_map(&quittance_download::NEEDS).await?;
    let download = quittance_download::wire(&function.adapters)?;
    let router = quittance_download::router(download, &map);
    function.ending.after(lambda_http::run(router)).await
}
