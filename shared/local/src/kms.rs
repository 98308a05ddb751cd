//! KMS: the engine is the crate `awsim-kms`, behind the gateway of `awsim-core`.
//!
//! Keys are saved whenever an operation may have changed one. Ed25519 keys are not emulated.
//! Invariant: a key that was answered is on disk before the answer leaves.

use std::path::Path;
use std::sync::Arc;

use awsim_core::{AppState, PersistenceManager, ServiceHandler, gateway};
use awsim_kms::KmsService;
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body_util::BodyExt as _;
use s3s::Body;

use crate::fault::{Call, Failure, Service};
use crate::front::{failure_response, full};
use crate::local_aws::StartError;
use crate::{ACCOUNT_ID, REGION};

/// The keys of one `LocalAws`.
pub(crate) struct Keys {
    state: AppState,
    kms: Arc<KmsService>,
    disk: tokio::sync::Mutex<PersistenceManager>,
}

impl Keys {
    pub(crate) fn open(dir: &Path) -> Result<Self, StartError> {
        let kms = Arc::new(KmsService::new());
        let disk = PersistenceManager::new(dir);
        if let Some(saved) = disk.load_snapshot(KMS) {
            kms.restore(&saved).map_err(StartError::state)?;
        }
        let handler: Arc<dyn ServiceHandler> = Arc::<KmsService>::clone(&kms);
        let mut state = AppState::new(REGION.to_owned(), ACCOUNT_ID.to_owned());
        state.register(handler, Vec::new());
        Ok(Self {
            state,
            kms,
            disk: tokio::sync::Mutex::new(disk),
        })
    }

    pub(crate) async fn answer(&self, call: &Call, parts: Parts, body: Bytes) -> Response<Body> {
        let changes_keys = !KMS_USES.contains(&call.operation.as_str());
        let disk = if changes_keys {
            Some(self.disk.lock().await)
        } else {
            None
        };
        let Parts {
            method,
            uri,
            headers,
            ..
        } = parts;
        let (response, _) =
            gateway::dispatch_request(&self.state, method, uri, headers, body).await;
        if let Some(disk) = disk
            && let Err(error) = self.save_keys(&disk)
        {
            tracing::error!(%error, "keys could not be saved");
            return failure_response(&Failure::internal(Service::Kms));
        }
        let (parts, body) = response.into_parts();
        match body.collect().await {
            Ok(body) => Response::from_parts(parts, full(body.to_bytes())),
            Err(error) => {
                tracing::error!(%error, "an answer could not be read");
                failure_response(&Failure::internal(Service::Kms))
            }
        }
    }

    fn save_keys(&self, disk: &PersistenceManager) -> std::io::Result<()> {
        self.kms
            .snapshot()
            .map_or(Ok(()), |snapshot| disk.save_snapshot(KMS, &snapshot))
    }
}

const KMS: &str = "kms";

/// Operations of KMS that use keys without changing any.
const KMS_USES: &[&str] = &[
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GenerateRandom",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "GetPublicKey",
    "ListAliases",
    "ListKeys",
    "ListResourceTags",
    "ReEncrypt",
    "Sign",
    "Verify",
    "VerifyMac",
];
