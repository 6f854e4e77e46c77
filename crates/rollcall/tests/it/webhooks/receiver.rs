//! An endpoint for tests: hears what it is told, answers as it is told to, and can be down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How long a test waits for something that is to happen.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// What was answered.
    pub(crate) status: u16,
}

impl Heard {
    pub(crate) fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn id(&self) -> String {
        self.event()["id"].as_str().unwrap().to_owned()
    }

    /// Tells whether one of its signatures is by this secret; reckoned without the code that signs.
    pub(crate) fn is_signed_by(&self, secret: &str) -> bool {
        let key = STANDARD
            .decode(secret.strip_prefix("whsec_").unwrap())
            .unwrap();
        let (id, timestamp) = (
            &self.headers["webhook-id"],
            &self.headers["webhook-timestamp"],
        );
        let signed = [format!("{id}.{timestamp}.").as_bytes(), &self.body].concat();
        let expected = format!("v1,{}", STANDARD.encode(hmac(&key, &signed)));
        let signatures = &self.headers["webhook-signature"];
        signatures.split(' ').any(|signature| signature == expected)
    }
}

/// HMAC-SHA256 (RFC 2104) of a key of at most 64 bytes.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let padded = |with: u8| -> Vec<u8> {
        let mut block = [with; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block.into()
    };
    let inner = Sha256::digest([&padded(0x36), message].concat());
    Sha256::digest([padded(0x5c), inner.to_vec()].concat()).to_vec()
}

/// What an endpoint answers: a status, and lines of the head.
type Answers = Arc<dyn Fn(usize) -> (u16, &'static str) + Send + Sync>;

/// An endpoint.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    listening: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Starts one that takes everything.
    pub(crate) async fn start() -> Self {
        Self::answering(|_| (204, "")).await
    }

    /// Starts one that answers the first request, the second, and so on, like this.
    pub(crate) async fn answering(
        answers: impl Fn(usize) -> (u16, &'static str) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut receiver = Self {
            port: listener.local_addr().unwrap().port(),
            heard: Arc::default(),
            listening: None,
        };
        receiver.listen(listener, Arc::new(answers));
        receiver
    }

    /// Returns one at which nothing listens yet.
    pub(crate) async fn down() -> Self {
        let mut receiver = Self::start().await;
        receiver.listening.take().unwrap().abort();
        receiver
    }

    /// Has it listen, and answer like this.
    pub(crate) async fn up(
        &mut self,
        answers: impl Fn(usize) -> (u16, &'static str) + Send + Sync + 'static,
    ) {
        let begun = Instant::now();
        let listener = loop {
            match TcpListener::bind(("127.0.0.1", self.port)).await {
                Ok(listener) => break listener,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        self.listen(listener, Arc::new(answers));
    }

    fn listen(&mut self, listener: TcpListener, answers: Answers) {
        let heard = Arc::clone(&self.heard);
        self.listening = Some(tokio::spawn(async move {
            let mut calls = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                calls.spawn(serve(stream, Arc::clone(&heard), Arc::clone(&answers)));
            }
        }));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/in?key=1", self.port)
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Waits until so many requests were heard.
    pub(crate) async fn hears(&self, count: usize) -> Vec<Heard> {
        self.hears_until(|heard| heard.len() >= count).await
    }

    pub(crate) async fn hears_until(&self, enough: impl Fn(&[Heard]) -> bool) -> Vec<Heard> {
        let begun = Instant::now();
        loop {
            let heard = self.heard();
            if enough(&heard) {
                return heard;
            }
            assert!(begun.elapsed() < PATIENCE, "heard only {heard:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn serve(mut stream: TcpStream, heard: Arc<Mutex<Vec<Heard>>>, answers: Answers) {
    let mut bytes = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read_buf(&mut bytes).await {
                Ok(1..) => {}
                _ => return,
            }
        };
        let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("POST /in?key=1 HTTP/1.1"));
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers["content-length"].parse().unwrap();
        while bytes.len() < head + length {
            match stream.read_buf(&mut bytes).await {
                Ok(1..) => {}
                _ => return,
            }
        }
        let body = bytes[head..head + length].to_vec();
        bytes.drain(..head + length);
        let (status, lines) = {
            let mut heard = heard.lock().unwrap();
            let (status, lines) = answers(heard.len());
            heard.push(Heard {
                at: Instant::now(),
                headers,
                body,
                status,
            });
            (status, lines)
        };
        let answer = format!("HTTP/1.1 {status} Said\r\n{lines}content-length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
