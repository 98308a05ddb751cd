//! HTTP to strangers: witnesses, time-stamping authorities, a log at an address.
//!
//! What comes back is judged by whoever asked: neither the server nor the way to it is believed. Answers
//! are bounded in length and time, redirects are not followed, and nothing is tried twice here.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use tokio::time::timeout;

/// A client; the roots of trust are read at its first call.
#[derive(Default)]
pub struct HttpClient {
    connector: OnceLock<Connector>,
}

/// An answer of any status.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

impl HttpClient {
    /// Gets what lies at an address, at most `longest` bytes of it.
    ///
    /// # Errors
    /// [`HttpError`] when there is no whole answer.
    pub async fn get(&self, address: &str, longest: usize) -> Result<HttpAnswer, HttpError> {
        self.call(address, HttpRequest::empty(), longest).await
    }

    /// Posts a body.
    ///
    /// # Errors
    /// [`HttpError`] when there is no whole answer: it may have been heard all the same.
    pub async fn post(
        &self,
        address: &str,
        media_type: &'static str,
        body: Vec<u8>,
        longest: usize,
    ) -> Result<HttpAnswer, HttpError> {
        let length = body.len().to_string();
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST").map_err(|_| HttpError::Address)?;
        request.headers_mut().insert("content-type", media_type);
        request.headers_mut().insert("content-length", length);
        self.call(address, request, longest).await
    }

    async fn call(
        &self,
        address: &str,
        mut request: HttpRequest,
        longest: usize,
    ) -> Result<HttpAnswer, HttpError> {
        request.set_uri(address).map_err(|_| HttpError::Address)?;
        let answer = async {
            // An error of the wire may name much; that there was one is enough.
            let answer = self.connector().call(request).await;
            let answer = answer.map_err(|_| HttpError::Away)?;
            let status = answer.status().as_u16();
            let mut stream = ByteStream::new(answer.into_body());
            let mut body = Vec::new();
            while let Some(piece) = stream.next().await {
                body.extend_from_slice(&piece.map_err(|_| HttpError::BrokeOff)?);
                if body.len() > longest {
                    return Err(HttpError::TooLong(longest));
                }
            }
            Ok(HttpAnswer { status, body })
        };
        let answered = timeout(PATIENCE, answer).await;
        answered.unwrap_or(Err(HttpError::TimedOut))
    }

    fn connector(&self) -> &Connector {
        self.connector.get_or_init(|| {
            Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .build()
        })
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAnswer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// Whether a program may be sent there: over TLS, or on this very machine; no query, nobody's password.
pub fn is_address(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else {
        return false;
    };
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = uri.host().unwrap_or_default();
    let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    let is_scheme = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_here,
        Some(_) | None => false,
    };
    is_scheme && uri.query().is_none() && !host.is_empty() && !authority.contains('@')
}

/// Whether a time-stamping authority may be asked there. Many answer without TLS: what is sent is a digest, and
/// what comes back is signed.
pub fn is_authority(text: &str) -> bool {
    let secure = text
        .strip_prefix("http://")
        .map(|rest| format!("https://{rest}"));
    is_address(secure.as_deref().unwrap_or(text))
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Not an address.
    #[error("no address")]
    Address,
    /// Nobody answers there.
    #[error("the server cannot be reached")]
    Away,
    /// The answer is not whole.
    #[error("the answer broke off")]
    BrokeOff,
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
    /// The answer is longer than what was asked for can be.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
}

impl HttpError {
    /// Whether another try may go better.
    pub const fn is_passing(self) -> bool {
        match self {
            Self::Away | Self::BrokeOff | Self::TimedOut => true,
            Self::Address | Self::TooLong(_) => false,
        }
    }
}

/// For one call, whole.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn programs_are_sent_over_tls_or_nowhere_far() {
        for good in [
            "https://witness.example.org",
            "https://witness.example.org:8443/some/path",
            "http://127.0.0.1:8080",
            "http://[::1]:1/x",
            "http://localhost",
        ] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "http://witness.example.org",
            "http://169.254.169.254/latest",
            "https://user:word@witness.example.org",
            "https://witness.example.org/?to=elsewhere",
            "ftp://witness.example.org",
            "witness.example.org",
            "https://",
            "",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
