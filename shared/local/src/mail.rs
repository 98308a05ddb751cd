//! SES as a mailbox: mails are accepted and kept, never sent.
//!
//! Only `SendEmail` of API version 2 is emulated; the rest answers 501. Senders need not be verified.
//! Invariant: an accepted mail is a complete file before its answer leaves.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use s3s::Body;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fault::{Failure, Service};
use crate::front::{failure_response, json_response};

/// A mail that was sent. Its `Debug` shows nothing personal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mail {
    /// The id the sender was given.
    pub message_id: String,
    /// The sender's address.
    pub from: String,
    /// All recipients: to, cc and bcc.
    pub to: Vec<String>,
    /// The subject of a simple mail.
    pub subject: String,
    /// The plain text of a simple mail.
    pub text: String,
    /// The HTML of a simple mail.
    pub html: String,
    /// The Base64 of a raw mail.
    pub raw: String,
}

impl Mail {
    fn parse(request: &Value, message_id: String) -> Option<Self> {
        let text = |path: &str| {
            request
                .pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let list = |name: &str| {
            let addresses = request
                .pointer(&format!("/Destination/{name}"))
                .and_then(Value::as_array);
            addresses
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
        };
        let to: Vec<String> = list("ToAddresses")
            .chain(list("CcAddresses"))
            .chain(list("BccAddresses"))
            .collect();
        request.get("Content")?.as_object()?;
        Some(Self {
            message_id,
            from: text("/FromEmailAddress"),
            to,
            subject: text("/Content/Simple/Subject/Data"),
            text: text("/Content/Simple/Body/Text/Data"),
            html: text("/Content/Simple/Body/Html/Data"),
            raw: text("/Content/Raw/Data"),
        })
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mail(***)")
    }
}

/// The mails of one `LocalAws`.
pub(crate) struct Mailbox {
    dir: PathBuf,
    mails: Mutex<Vec<Mail>>,
}

impl Mailbox {
    pub(crate) fn open(dir: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut files: Vec<PathBuf> = std::fs::read_dir(dir)?
            .map(|entry| entry.map(|e| e.path()))
            .collect::<Result<_, _>>()?;
        files.retain(|file| {
            file.extension()
                .is_some_and(|extension| extension == "json")
        });
        files.sort();
        let read = |file: &PathBuf| Ok(serde_json::from_slice(&std::fs::read(file)?)?);
        let mails = files
            .iter()
            .map(read)
            .collect::<std::io::Result<Vec<Mail>>>()?;
        Ok(Self {
            dir: dir.to_owned(),
            mails: Mutex::new(mails),
        })
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The operation's name, `unknown` if it is not emulated.
    pub(crate) fn operation_of(parts: &Parts) -> &'static str {
        match (&parts.method, parts.uri.path()) {
            (&Method::POST, "/v2/email/outbound-emails") => "SendEmail",
            _ => "unknown",
        }
    }

    pub(crate) fn answer(&self, parts: &Parts, body: &Bytes) -> Response<Body> {
        if Self::operation_of(parts) != "SendEmail" {
            let path = parts.uri.path();
            return failure_response(&Failure::new(
                StatusCode::NOT_IMPLEMENTED,
                "NotImplemented",
                format!("{} {path} is not emulated", parts.method),
            ));
        }
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut id = [0_u8; 16];
        let drawn = getrandom::fill(&mut id);
        let mail = Mail::parse(&request, HEXLOWER.encode(&id)).filter(|_| drawn.is_ok());
        let Some(mail) = mail else {
            let failure = Failure::new(
                StatusCode::BAD_REQUEST,
                "BadRequestException",
                "a mail has a content",
            );
            return failure_response(&failure);
        };
        let answer = json!({ "MessageId": mail.message_id }).to_string();
        if let Err(error) = self.keep(mail) {
            tracing::error!(%error, "a mail could not be kept");
            return failure_response(&Failure::internal(Service::Ses));
        }
        json_response(StatusCode::OK, answer)
    }

    fn keep(&self, mail: Mail) -> std::io::Result<()> {
        let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.dir.join(format!("{:08}.json", mails.len()));
        let draft = file.with_extension("draft");
        std::fs::write(&draft, serde_json::to_vec(&mail)?)?;
        std::fs::rename(&draft, &file)?;
        mails.push(mail);
        Ok(())
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailbox(***)")
    }
}
