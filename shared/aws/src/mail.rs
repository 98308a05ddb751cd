//! Mails: through SES, or as files in a folder for one machine.
//!
//! SES knows no idempotency key: after an unknown outcome a mail may arrive twice, and says the same
//! thing twice. The folder keeps one file per mail id.

use std::fmt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use quittance_core::fault::Fault;
use quittance_engine::ports::{Mail, Mailer};

use crate::faults::{code, fault};
use crate::files;

/// Sends mails through SES.
#[derive(Clone, Debug)]
pub struct SesMailer {
    client: aws_sdk_sesv2::Client,
    sender: String,
}

impl SesMailer {
    /// Builds the mailer; `sender` is an address that SES has verified.
    pub fn new(client: aws_sdk_sesv2::Client, sender: impl Into<String>) -> Self {
        Self {
            client,
            sender: sender.into(),
        }
    }
}

#[async_trait]
impl Mailer for SesMailer {
    async fn send(&self, mail: &Mail) -> Result<(), Fault> {
        let unbuilt = |_| Fault::reject("SendEmail: a mail that cannot be built");
        let content = |text: &str| Content::builder().data(text).charset("UTF-8").build();
        let message = Message::builder()
            .subject(content(&mail.subject).map_err(unbuilt)?)
            .body(
                Body::builder()
                    .text(content(&mail.text).map_err(unbuilt)?)
                    .build(),
            )
            .build();
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.sender)
            .destination(Destination::builder().to_addresses(&mail.to).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            // The address cannot be written to: trying again changes nothing.
            Err(error) => match code(&error) {
                Some(code @ ("BadRequestException" | "MessageRejected")) => {
                    Err(Fault::reject(format!("SendEmail: {code}")))
                }
                Some(_) | None => Err(fault("SendEmail", &error)),
            },
        }
    }
}

/// Writes each mail into a file that only its owner may read.
#[derive(Clone)]
pub struct FolderMailer {
    folder: PathBuf,
}

impl FolderMailer {
    /// Builds the mailer; the folder is made when it is missing.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Returns the file of a mail.
    pub fn path(&self, id: &str) -> PathBuf {
        self.folder.join(file_name(id))
    }
}

impl fmt::Debug for FolderMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FolderMailer")
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn send(&self, mail: &Mail) -> Result<(), Fault> {
        let text = format!(
            "To: {}\nSubject: {}\n\n{}\n",
            mail.to, mail.subject, mail.text
        );
        write(&self.folder, &file_name(&mail.id), &text)
            .map_err(|error| Fault::retry(format!("mail folder: {}", error.kind())))
    }
}

fn write(folder: &Path, name: &str, text: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    files::replace(&folder.join(name), text.as_bytes())
}

/// A mail id as a file name: what is not plain becomes a hyphen.
fn file_name(id: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '-'
        }
    };
    format!("mail-{}.txt", id.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_mail_twice_is_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let mailer = FolderMailer::new(folder.path().join("mails"));
        let mail = Mail {
            to: "person@example.test".into(),
            subject: "Code".into(),
            text: "123456".into(),
            id: "../ab.code-1".into(),
        };
        mailer.send(&mail).await.unwrap();
        mailer.send(&mail).await.unwrap();
        let files = std::fs::read_dir(folder.path().join("mails")).unwrap();
        assert_eq!(files.count(), 1);
        let text = std::fs::read_to_string(mailer.path(&mail.id)).unwrap();
        assert_eq!(text, "To: person@example.test\nSubject: Code\n\n123456\n");
    }
}
