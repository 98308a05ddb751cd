//! A log's files over HTTP, as `tlog-tiles` publishes them. What is read is judged like a file of a
//! directory: neither the server nor the way to it is believed.

use std::time::Duration;

use http::Uri;
use quittance_aws::http::{HttpClient, HttpError};
use tokio::runtime::Runtime;

use crate::printing::Failure;

/// A log at an address.
pub(crate) struct Web {
    /// Without a slash at its end.
    base: String,
    client: HttpClient,
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
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Some(Self {
            base: address.trim_end_matches('/').to_owned(),
            client: HttpClient::default(),
            runtime,
        }))
    }

    /// Reads a file, if there is one; tries a few times where the server is at fault.
    pub(crate) fn load(&self, path: &str, longest: usize) -> Result<Option<Vec<u8>>, String> {
        let mut tries = PAUSES.iter();
        loop {
            let got = self.runtime.block_on(self.get(path, longest));
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
        let address = format!("{}/{path}", self.base);
        let answer = self.client.get(&address, longest).await;
        let answer = answer.map_err(|error| Trouble::of(&error))?;
        match answer.status {
            OK => Ok(Some(answer.body)),
            404 | 410 => Ok(None),
            status @ 300..400 => Err(Trouble::Lasting(format!(
                "the server answers {status}: give the address that it sends to"
            ))),
            status @ (429 | 500..) => Err(Trouble::Passing(format!("the server answers {status}"))),
            status => Err(Trouble::Lasting(format!("the server answers {status}"))),
        }
    }
}

/// Why a file was not read.
enum Trouble {
    /// It may be better in a moment.
    Passing(String),
    Lasting(String),
}

impl Trouble {
    fn of(error: &HttpError) -> Self {
        let why = error.to_string();
        if error.is_passing() {
            Self::Passing(why)
        } else {
            Self::Lasting(why)
        }
    }
}

const OK: u16 = 200;
const PAUSES: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
];
