//! A log's files over HTTP, as `tlog-tiles` publishes them. What is read is judged like a file of a
//! directory: neither the server nor the way to it is believed.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use http::Uri;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::printing::Failure;

/// A log at an address.
pub(crate) struct Web {
    /// Without a slash at its end.
    base: String,
    connector: Connector,
    runtime: Runtime,
}

impl Web {
    /// Takes an address; none when the argument is none but a path.
    pub(crate) fn at(address: &str) -> Result<Option<Self>, Failure> {
        if !address.starts_with("https://") && !address.starts_with("http://") {
            return Ok(None);
        }
        let uri: Option<Uri> = address.parse().ok();
        let is_plain = |uri: &Uri| {
            let authority = uri.authority().map_or("", |authority| authority.as_str());
            uri.query().is_none() && !authority.is_empty() && !authority.contains('@')
        };
        if !uri.as_ref().is_some_and(is_plain) {
            return Err(Failure::usage(format!(
                "{address} is no address of a log; write such as https://log.example.com/log, \
                 without a query or a password"
            )));
        }
        let connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Some(Self {
            base: address.trim_end_matches('/').to_owned(),
            connector,
            runtime,
        }))
    }

    /// Reads a file, if there is one; tries a few times where the server is at fault.
    pub(crate) fn load(&self, path: &str, longest: usize) -> Result<Option<Vec<u8>>, String> {
        let mut tries = PAUSES.iter();
        loop {
            let got = self.runtime.block_on(async {
                let get = self.get(path, longest);
                let got = timeout(PATIENCE, get).await;
                got.unwrap_or_else(|_| Err(Trouble::Passing("no answer in time".to_owned())))
            });
            match (got, tries.next()) {
                (Ok(file), _) => return Ok(file),
                (Err(Trouble::Passing(_)), Some(pause)) => {
                    self.runtime
                        .block_on(async { tokio::time::sleep(*pause).await });
                }
                (Err(Trouble::Lasting(why) | Trouble::Passing(why)), _) => return Err(why),
            }
        }
    }

    async fn get(&self, path: &str, longest: usize) -> Result<Option<Vec<u8>>, Trouble> {
        let mut request = HttpRequest::empty();
        let set = request.set_uri(format!("{}/{path}", self.base));
        set.map_err(|_| Trouble::Lasting("no address".to_owned()))?;
        let answer = self.connector.call(request).await;
        // An error of the wire may name much; that there was one is enough.
        let answer =
            answer.map_err(|_| Trouble::Passing("the server cannot be reached".to_owned()))?;
        match answer.status() {
            status if status.as_u16() == OK => {}
            status if matches!(status.as_u16(), 404 | 410) => return Ok(None),
            status if matches!(status.as_u16(), 300..400) => {
                return Err(Trouble::Lasting(format!(
                    "the server answers {status}: give the address that it sends to"
                )));
            }
            status if status.as_u16() == 429 || status.is_server_error() => {
                return Err(Trouble::Passing(format!("the server answers {status}")));
            }
            status => return Err(Trouble::Lasting(format!("the server answers {status}"))),
        }
        let mut body = ByteStream::new(answer.into_body());
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|_| Trouble::Passing("the answer broke off".to_owned()))?;
            bytes.extend_from_slice(&piece);
            if bytes.len() > longest {
                return Err(Trouble::Lasting(format!(
                    "it is longer than {longest} bytes"
                )));
            }
        }
        Ok(Some(bytes))
    }
}

/// Why a file was not read.
enum Trouble {
    /// It may be better in a moment.
    Passing(String),
    Lasting(String),
}

const OK: u16 = 200;
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSES: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
];
