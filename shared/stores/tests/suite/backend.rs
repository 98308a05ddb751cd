//! What stands for AWS here: the embedded backend, a new one for each test.

use quittance_local::{LocalAws, Options};

/// A backend of one test's own; it stops when it is dropped.
pub(crate) struct Backend {
    pub(crate) local: LocalAws,
}

impl Backend {
    pub(crate) async fn start(options: Options) -> Self {
        let local = LocalAws::start(options).await.unwrap();
        Self { local }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.local.endpoint()
    }
}
