//! The bootstrap of the download function.

use quittance_aws::lambda;

// A little more than one processor's time is this function's: connections have a thread beside.
#[tokio::main(worker_threads = 1)]
async fn main() -> Result<(), lambda_http::Error> {
    let (function, map) = lambda::start_with_map(&quittance_download::NEEDS).await?;
    let download = quittance_download::wire(&function.adapters)?;
    let router = quittance_download::router(download, &map);
    function.ending.after(lambda_http::run(router)).await
}
