//! Sends a request and reads the reply within its bound; says in words what stood in the way.

use std::error::Error;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::Method;
use reqwest::header::HeaderMap;
use rollcall_observe::TRACE;
use rollcall_scim::limits::{Limits, STANDARD};
use serde_json::{Map, Value};
use tracing::Instrument;

use crate::client::{Client, REPLY_BYTES, Refused, Unresolved};
use crate::figures::End;

/// The longest time that a target can ask to be left alone for. Who asks for more means for good, and is asked again then.
const LONGEST: Duration = Duration::from_hours(24 * 30);

/// A reply, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    /// What was asked.
    pub(crate) method: Method,
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    /// The version of the resource, as an entity tag.
    pub(crate) etag: Option<String>,
    /// Where a redirect leads.
    pub(crate) location: Option<String>,
    /// Whether it says that it is a page for people.
    pub(crate) is_page: bool,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Reads the body as a JSON object.
    pub(crate) fn object(&self) -> Option<Map<String, Value>> {
        let limits = Limits {
            string_bytes: REPLY_BYTES,
            ..STANDARD
        };
        match rollcall_scim::json::parse(&self.body, &limits) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        }
    }
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoReply {
    /// Whether the request was certainly not handled by the other end.
    pub(crate) was_not_sent: bool,
    /// Whether a time-out ended it.
    pub(crate) is_time_out: bool,
    /// For how long the target asked to be left alone, when that is the reason.
    pub(crate) retry_after: Option<Duration>,
    /// What happened, for people.
    pub(crate) message: String,
}

impl NoReply {
    /// The target asked to be left alone for longer than a request can wait.
    pub(crate) fn held(wait: Duration) -> Self {
        Self {
            was_not_sent: true,
            is_time_out: false,
            retry_after: Some(wait),
            message: format!(
                "the target asked to be left alone for {} seconds more",
                wait.as_secs().max(1)
            ),
        }
    }

    /// Whoever asks has lost the right to.
    pub(crate) fn over() -> Self {
        Self {
            was_not_sent: true,
            is_time_out: false,
            retry_after: None,
            message: "the cycle ended before the request was sent".to_owned(),
        }
    }
}

/// How much of a reply is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    /// All, up to the bound.
    Body,
    /// Status and head: the rest is left where it is.
    Status,
}

/// Sends a request to an end and reads the reply, as much of it as is of use; counts it, and tells the other end which trace it belongs to.
pub(crate) async fn send(
    (client, end): (&Client, End),
    method: Method,
    request: reqwest::RequestBuilder,
    now: Timestamp,
) -> Result<Reply, NoReply> {
    let span = tracing::debug_span!(
        target: TRACE,
        "request to the other end",
        otel.kind = "client",
        http.request.method = method.as_str(),
        http.response.status_code = tracing::field::Empty,
        rollcall.end = end.word(),
    );
    let calls = client.figures().of(end);
    let in_flight = calls.in_flight.raise();
    let begun = Instant::now();
    let request = match span.in_scope(|| client.traceparent()) {
        Some(traceparent) => request.header("traceparent", traceparent),
        None => request,
    };
    let outcome = exchange(method, request, (now, end.wants()))
        .instrument(span.clone())
        .await;
    drop(in_flight);
    if let Ok(reply) = &outcome {
        span.record("http.response.status_code", reply.status);
    }
    calls.count(&outcome, begun.elapsed());
    outcome
}

async fn exchange(
    method: Method,
    request: reqwest::RequestBuilder,
    (now, wants): (Timestamp, Wants),
) -> Result<Reply, NoReply> {
    let mut response = request.send().await.map_err(|error| explain(&error))?;
    let header = |name: &str| text(response.headers(), name);
    let mut reply = Reply {
        method,
        status: response.status().as_u16(),
        retry_after: header("retry-after").and_then(|text| patience(&text, now)),
        etag: header("etag"),
        location: header("location"),
        is_page: header("content-type").is_some_and(|kind| {
            let kind = kind.to_ascii_lowercase();
            kind.starts_with("text/html") || kind.starts_with("application/xhtml")
        }),
        body: Vec::new(),
    };
    if wants == Wants::Body {
        reply.body = whole(&mut response).await?;
    }
    Ok(reply)
}

/// Reads the body of a reply within its bound.
pub(crate) async fn whole(response: &mut reqwest::Response) -> Result<Vec<u8>, NoReply> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
        if body.len() + chunk.len() > REPLY_BYTES {
            return Err(NoReply {
                was_not_sent: false,
                is_time_out: false,
                retry_after: None,
                message: format!(
                    "the reply is longer than {} MiB",
                    REPLY_BYTES / (1024 * 1024)
                ),
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// Returns for how long an answer asks to be left alone; where it says until when, by its own clock.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let date = text(headers, "date")
        .and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(&date).ok());
    patience(&text(headers, "retry-after")?, date.unwrap_or_default())
}

/// Reads `Retry-After` (RFC 9110 §10.2.3): seconds, here also with a fraction, or a date.
fn patience(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        let is_sound = seconds.is_finite() && seconds >= 0.0;
        return is_sound
            .then(|| Duration::try_from_secs_f64(seconds).map_or(LONGEST, |it| it.min(LONGEST)));
    }
    let until = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
    Some(wait.min(LONGEST))
}

/// Finds the cause of a failure in its chain.
pub(crate) fn explain(error: &reqwest::Error) -> NoReply {
    let host = error
        .url()
        .and_then(|url| url.host_str())
        .unwrap_or("the target")
        .to_owned();
    let message = cause(error, &host).unwrap_or_else(|| {
        if error.is_timeout() && error.is_connect() {
            let is_tls = error.url().is_some_and(|url| url.scheme() == "https");
            let tls = if is_tls {
                ", and whether TLS is spoken at this port"
            } else {
                ""
            };
            format!(
                "`{host}` did not accept a connection in time: check address, port and firewall{tls}"
            )
        } else if error.is_timeout() {
            format!(
                "`{host}` took the request and did not answer in time: look there whether it is overloaded"
            )
        } else if error.is_connect() {
            format!("`{host}` cannot be reached: check address, port and firewall")
        } else {
            format!(
                "the connection to `{host}` broke off before the answer was complete: look into the target's log"
            )
        }
    });
    NoReply {
        was_not_sent: error.is_connect(),
        is_time_out: error.is_timeout(),
        retry_after: None,
        message,
    }
}

fn cause(error: &reqwest::Error, host: &str) -> Option<String> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(refused) = current.downcast_ref::<std::sync::Arc<Refused>>() {
            return Some(refused.to_string());
        }
        if let Some(unresolved) = current.downcast_ref::<Unresolved>() {
            return Some(unresolved.to_string());
        }
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            if let Some(tls) = tls_inside(io) {
                return Some(explain_tls(tls, host));
            }
            if io.kind() == std::io::ErrorKind::ConnectionRefused {
                return Some(format!(
                    "`{host}` refuses connections: nothing listens at this address and port; check both"
                ));
            }
        }
        if let Some(tls) = current.downcast_ref::<rustls::Error>() {
            return Some(explain_tls(tls, host));
        }
        next = current.source();
    }
    None
}

/// Finds a failure of TLS that is wrapped in failures of input and output.
pub(crate) fn tls_inside(error: &std::io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    match inner.downcast_ref::<std::io::Error>() {
        Some(deeper) => tls_inside(deeper),
        None => inner.downcast_ref(),
    }
}

pub(crate) fn explain_tls(error: &rustls::Error, host: &str) -> String {
    use rustls::CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            Certificate::Expired | Certificate::ExpiredContext { .. } => {
                format!("the TLS certificate of `{host}` has expired: renew it there")
            }
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => format!(
                "the TLS certificate of `{host}` is not valid yet: check the clocks of both ends"
            ),
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => format!(
                "the TLS certificate is for another name than `{host}`: enter the name that it is for, or have it issued for this one"
            ),
            Certificate::UnknownIssuer => format!(
                "the TLS certificate of `{host}` was issued by nobody whom this server trusts: have it issued by a public authority, with the \
                 intermediate certificates sent along, or add its authority to those that this machine trusts"
            ),
            other => format!("the TLS certificate of `{host}` is not acceptable: {other:?}"),
        },
        rustls::Error::InvalidMessage(_) => {
            format!("`{host}` does not speak TLS at this port: check the port")
        }
        other => {
            format!(
                "no TLS connection to `{host}`: {other}; TLS 1.2 or 1.3 has to be offered there"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_asked_for_in_seconds_or_until_a_date() {
        let now: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
        let rows = [
            ("7", Some(Duration::from_secs(7))),
            ("0.5", Some(Duration::from_millis(500))),
            (
                "Mon, 05 Jan 2026 12:01:30 GMT",
                Some(Duration::from_secs(90)),
            ),
            ("Mon, 05 Jan 2026 11:00:00 GMT", Some(Duration::ZERO)),
            ("1e300", Some(LONGEST)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
        ];
        for (text, expected) in rows {
            assert_eq!(patience(text, now), expected, "{text}");
        }
    }
}
