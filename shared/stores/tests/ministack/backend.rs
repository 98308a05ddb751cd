//! What stands for AWS here: a `ministack` of one test's own. Accounts would do for tables, and the
//! names of buckets are everybody's.

use quittance_local::Options;

use crate::server::Server;

/// A backend of one test's own; it stops when it is dropped.
pub(crate) struct Backend {
    server: Server,
    _scratch: tempfile::TempDir,
}

impl Backend {
    #[expect(clippy::unused_async, reason = "the other backend takes time to start")]
    pub(crate) async fn start(_: Options) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        Self {
            server: Server::start(scratch.path()),
            _scratch: scratch,
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint.clone()
    }
}
