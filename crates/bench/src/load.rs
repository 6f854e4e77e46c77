//! Those who load a server: connections that each ask, wait for the answer, and ask again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// The path with its query, from the root.
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
}

impl Ask {
    pub(crate) fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            body: None,
        }
    }

    pub(crate) fn post(path: String, body: Value) -> Self {
        Self {
            method: Method::POST,
            path,
            body: Some(body),
        }
    }

    pub(crate) fn patch(path: String, body: Value) -> Self {
        Self {
            method: Method::PATCH,
            path,
            body: Some(body),
        }
    }
}

/// Returns a filter that an attribute is a value, as part of a query.
pub(crate) fn equals(attribute: &str, value: &str) -> String {
    format!(
        "filter={attribute}%20eq%20%22{}%22",
        value.replace(' ', "%20")
    )
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn is(self, expected: u16) -> anyhow::Result<Self> {
        ensure!(
            self.status.as_u16() == expected,
            "expected {expected}, got {}: {}",
            self.status,
            String::from_utf8_lossy(&self.body)
        );
        Ok(self)
    }

    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// Returns the id of the resource that it is.
    pub(crate) fn id(&self) -> anyhow::Result<String> {
        let body = self.json()?;
        let id = body.get("id").and_then(Value::as_str);
        Ok(id.context("an answer without an id")?.to_owned())
    }
}

/// A connection that stays open.
#[derive(Debug)]
pub(crate) struct Connection {
    requests: SendRequest<Full<Bytes>>,
    authority: String,
    bearer: String,
}

impl Connection {
    /// Opens a connection to `127.0.0.1:PORT`.
    pub(crate) async fn open(authority: &str, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self {
            requests,
            authority: authority.to_owned(),
            bearer: format!("Bearer {token}"),
        })
    }

    pub(crate) async fn ask(&mut self, ask: &Ask) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(&ask.path)
            .header(HOST, &self.authority)
            .header(AUTHORIZATION, &self.bearer);
        let body = match &ask.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/scim+json");
                Bytes::from(serde_json::to_vec(body)?)
            }
            None => Bytes::new(),
        };
        self.requests.ready().await?;
        let answer = self
            .requests
            .send_request(request.body(Full::new(body))?)
            .await?;
        let (head, body) = answer.into_parts();
        Ok(Answer {
            status: head.status,
            body: body.collect().await?.to_bytes(),
        })
    }

    /// Asks, and tells how long the answer took.
    pub(crate) async fn timed(&mut self, ask: &Ask, status: u16) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        self.ask(ask).await?.is(status)?;
        Ok(begun.elapsed())
    }
}

/// Opens so many connections.
pub(crate) async fn connections(
    count: usize,
    authority: &str,
    token: &str,
) -> anyhow::Result<Vec<Connection>> {
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        all.push(Connection::open(authority, token).await?);
    }
    Ok(all)
}

/// What a window of load was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) answers: u64,
    took: Duration,
}

impl Load {
    pub(crate) fn new(answers: u64, took: Duration) -> Self {
        Self { answers, took }
    }

    pub(crate) fn per_second(self) -> f64 {
        count(self.answers) / self.took.as_secs_f64()
    }
}

/// Has every connection ask without a pause for so long; the number of a request decides what is asked.
pub(crate) async fn window<F>(
    connections: &mut Vec<Connection>,
    length: Duration,
    status: u16,
    next: &Arc<AtomicU64>,
    ask: F,
) -> anyhow::Result<Load>
where
    F: Fn(u64) -> Ask + Send + Sync + 'static,
{
    let ask = Arc::new(ask);
    let begun = Instant::now();
    let running: Vec<_> = connections
        .drain(..)
        .map(|mut connection| {
            let (ask, next) = (Arc::clone(&ask), Arc::clone(next));
            tokio::spawn(async move {
                let mut answers = 0;
                while begun.elapsed() < length {
                    let ask = ask(next.fetch_add(1, Ordering::Relaxed));
                    connection.ask(&ask).await?.is(status)?;
                    answers += 1;
                }
                anyhow::Ok((connection, answers))
            })
        })
        .collect();
    let mut answers = 0;
    for one in running {
        let (connection, its_answers) = one.await??;
        connections.push(connection);
        answers += its_answers;
    }
    Ok(Load::new(answers, begun.elapsed()))
}

/// Returns a number of things as a figure.
#[expect(
    clippy::cast_precision_loss,
    reason = "nothing that is counted here comes near 2^52"
)]
pub(crate) fn count(things: u64) -> f64 {
    things as f64
}

/// Returns the middle one; 0 of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Returns the middle one, in milliseconds.
pub(crate) fn median_milliseconds(times: &[Duration]) -> f64 {
    median(times.iter().map(|time| time.as_secs_f64() * 1e3).collect())
}
