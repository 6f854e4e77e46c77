//! An endpoint that answers each request as a closure says, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rollcall_connect::client::{Client, Options};
use rollcall_connect::guard::Reach;
use rollcall_connect::target::{Surroundings, Target};
use rollcall_model::{FixedClock, Kind, Profile, Randomness, Secret};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// Dice that always show nothing: pauses between attempts take no time.
pub(crate) struct NoDice;

impl Randomness for NoDice {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// The header lines, in lower case.
    pub(crate) head: String,
    /// Null when there is none.
    pub(crate) body: Value,
}

impl Seen {
    /// Method and path without the query.
    pub(crate) fn line(&self) -> String {
        let path = self.path.split('?').next().unwrap();
        format!("{} {path}", self.method)
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delay: Duration,
}

impl Said {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/scim+json", &body.to_string())
    }

    pub(crate) fn text(status: u16, kind: &str, body: &str) -> Self {
        Self::status(status)
            .with("content-type", kind)
            .holding(body)
    }

    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            delay: Duration::ZERO,
        }
    }

    pub(crate) fn error(status: u16, detail: &str) -> Self {
        let schema = "urn:ietf:params:scim:api:messages:2.0:Error";
        let body = json!({"schemas": [schema], "status": status.to_string(), "detail": detail});
        Self::json(status, &body)
    }

    pub(crate) fn list(resources: &[Value]) -> Self {
        let schema = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
        let body =
            json!({"schemas": [schema], "totalResults": resources.len(), "Resources": resources});
        Self::json(200, &body)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    fn holding(self, body: &str) -> Self {
        let body = body.as_bytes().to_vec();
        Self { body, ..self }
    }
}

/// A running endpoint.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Scripted {
    /// Starts an endpoint; `respond` is given the request and how many came before it.
    pub(crate) async fn start(
        respond: impl Fn(&Seen, usize) -> Said + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (respond, remembered) = (Arc::new(respond), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (respond, seen) = (Arc::clone(&respond), Arc::clone(&remembered));
                tokio::spawn(async move { serve(stream, &*respond, &seen).await });
            }
        });
        Self { address, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }

    pub(crate) fn target(&self) -> Target {
        self.target_with(Profile::default())
    }

    pub(crate) fn target_with(&self, profile: Profile) -> Target {
        let url = format!("http://{}/scim", self.address);
        target_at(&url, &Options::of(Reach::Anywhere), profile)
    }
}

/// Makes a target of an address.
pub(crate) fn target_at(url: &str, options: &Options, profile: Profile) -> Target {
    let client = Client::with(options).unwrap();
    Target::new(client, url, Secret::new("secret"), profile, surroundings()).unwrap()
}

/// A clock that stands still, and no dice.
pub(crate) fn surroundings() -> Surroundings {
    Surroundings {
        clock: Arc::new(FixedClock::at("2026-01-05T12:00:00Z".parse().unwrap())),
        randomness: Arc::new(NoDice),
    }
}

/// Tests a connection; returns what it says went wrong.
pub(crate) async fn trouble_of(target: &Target) -> String {
    let kinds = [(Kind::User, "userName".to_owned())];
    target.test(&kinds, "nobody").await.unwrap_err().message
}

/// Answers one request on a connection.
pub(crate) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    respond: &(impl Fn(&Seen, usize) -> Said + ?Sized),
    seen: &Mutex<Vec<Seen>>,
) {
    let Some(request) = read(&mut stream).await else {
        return;
    };
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let said = respond(&request, before);
    tokio::time::sleep(said.delay).await;
    let mut headers = said.headers.clone();
    if !headers.iter().any(|(name, _)| name == "content-length") {
        headers.push(("content-length".to_owned(), said.body.len().to_string()));
    }
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "HTTP/1.1 {} Said\r\nconnection: close\r\n{}\r\n",
        said.status,
        lines.concat()
    );
    // who gave up waiting has gone
    drop(stream.write_all(head.as_bytes()).await);
    drop(stream.write_all(&said.body).await);
    drop(stream.shutdown().await);
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let (line, rest) = head.split_once("\r\n")?;
    let (line, head) = (line.to_owned(), rest.to_lowercase());
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or_default();
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        let count = stream.read(&mut buffer).await.ok()?;
        body.extend_from_slice(&buffer[..count]);
    }
    let mut words = line.split(' ');
    Some(Seen {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        head,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    })
}
