//! The ways that a mail can take: to an SMTP server, or into a folder where there is none.

use std::path::PathBuf;

use jiff::Timestamp;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use rollcall_model::{Email, Secret};

use crate::words::Mail;

/// How mail gets out.
#[derive(Debug, Clone)]
pub struct Way {
    from: Mailbox,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(PathBuf),
}

/// Why there is no such way, or why a mail did not get through.
#[derive(Debug, thiserror::Error)]
pub enum WayError {
    /// The sender is no address.
    #[error("`{0}` is not a sender such as `Rollcall <rollcall@example.com>`")]
    Sender(String),
    /// The address of the server is wrong. It may hold a password, and is not shown.
    #[error(
        "the address of the mail server is wrong ({0}): write smtps://USER:PASSWORD@HOST, or smtp://HOST:25 for a server of this machine"
    )]
    Server(String),
    /// The mail cannot be put together.
    #[error("the mail cannot be put together: {0}")]
    Message(String),
    /// The server did not take it.
    #[error("the mail server did not take it: {0}")]
    Refused(#[from] lettre::transport::smtp::Error),
    /// The folder cannot be written to.
    #[error("the folder for mail cannot be written to: {0}")]
    Folder(#[from] std::io::Error),
}

impl Way {
    /// Sends to the server at an address such as `smtps://user:password@mail.example.com`. With `smtp://` a connection is encrypted when
    /// the address says so (`?tls=required`); names of servers are checked in any case.
    ///
    /// # Errors
    /// [`WayError`] when the address or the sender is wrong.
    pub fn smtp(address: &Secret, from: &str) -> Result<Self, WayError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(address.expose())
            .map_err(|error| WayError::Server(error.to_string()))?
            .timeout(Some(std::time::Duration::from_secs(30)))
            .build();
        Ok(Self {
            from: sender(from)?,
            kind: Kind::Smtp(transport),
        })
    }

    /// Writes each mail into a folder, as a file that mail programs open (`.eml`).
    ///
    /// # Errors
    /// [`WayError`] when the folder cannot be made or the sender is wrong.
    pub fn folder(folder: PathBuf, from: &str) -> Result<Self, WayError> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            from: sender(from)?,
            kind: Kind::Folder(folder),
        })
    }

    /// Sends a mail; `now` names its file in a folder.
    ///
    /// # Errors
    /// [`WayError`] when it did not get through.
    pub async fn send(&self, to: &Email, mail: &Mail, now: Timestamp) -> Result<(), WayError> {
        let message = self.message(to, mail)?;
        match &self.kind {
            Kind::Smtp(transport) => {
                transport.send(message).await?;
            }
            Kind::Folder(folder) => {
                let path = folder.join(file_name(to, &message.formatted(), now));
                write_private(path, message.formatted()).await?;
            }
        }
        Ok(())
    }

    fn message(&self, to: &Email, mail: &Mail) -> Result<Message, WayError> {
        let wrong = |error: &dyn std::fmt::Display| WayError::Message(error.to_string());
        let address = to.as_str().parse().map_err(|error| wrong(&error))?;
        let html = SinglePart::builder()
            .header(ContentType::TEXT_HTML)
            .body(mail.html.clone());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(mail.subject.clone())
            .multipart(
                MultiPart::alternative()
                    .singlepart(SinglePart::plain(mail.text.clone()))
                    .singlepart(html),
            )
            .map_err(|error| wrong(&error))
    }
}

fn sender(from: &str) -> Result<Mailbox, WayError> {
    from.parse().map_err(|_| WayError::Sender(from.to_owned()))
}

/// Names a file by time, addressee and content, so that files sort by time and none replaces another.
fn file_name(to: &Email, content: &[u8], now: Timestamp) -> String {
    let to: String = to
        .as_str()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(60)
        .collect();
    let mut hash: u32 = 0;
    for byte in content {
        hash = hash.wrapping_mul(31).wrapping_add(u32::from(*byte));
    }
    format!("{}-{to}-{hash:08x}.eml", now.as_microsecond())
}

/// Writes a file that only its owner reads: it may hold a link that signs in.
async fn write_private(path: PathBuf, content: Vec<u8>) -> std::io::Result<()> {
    tokio::task::spawn_blocking(move || {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&content)
    })
    .await
    .map_err(std::io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Mail {
        Mail {
            subject: "Grüße\r\nBcc: everybody@example.com".to_owned(),
            text: "text".to_owned(),
            html: "<p>html</p>".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_mail_in_a_folder_is_private_and_no_line_of_it_becomes_a_header() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail");
        let way = Way::folder(path.clone(), "Rollcall <rollcall@example.com>").unwrap();
        let to = "ann@example.com".parse().unwrap();
        way.send(&to, &mail(), Timestamp::UNIX_EPOCH).await.unwrap();

        let file = std::fs::read_dir(path).unwrap().next().unwrap().unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.contains("To: ann@example.com"));
        assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
        assert!(text.contains("multipart/alternative"));
    }

    #[tokio::test]
    async fn an_address_that_is_wrong_is_refused_without_showing_its_password() {
        for wrong in [
            "http://user:hunter2@mail.example.com",
            "smtps://",
            "hunter2",
        ] {
            let error = Way::smtp(&Secret::new(wrong), "a@example.com").unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert!(Way::smtp(&Secret::new("smtp://localhost:25"), "nobody").is_err());
    }
}
