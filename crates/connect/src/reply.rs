//! Sends a request and reads the reply within its bound; says in words what stood in the way.

use std::error::Error;
use std::time::Duration;

use crate::client::{REPLY_BYTES, Refused};

/// A reply, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoReply {
    /// Whether the request was certainly not handled by the other end.
    pub(crate) was_not_sent: bool,
    /// Whether a time-out ended it.
    pub(crate) is_time_out: bool,
    /// What happened, for people.
    pub(crate) message: String,
}

/// Sends a request and reads the whole reply.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Result<Reply, NoReply> {
    let mut response = request.send().await.map_err(|error| explain(&error))?;
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok())
        .filter(|seconds| (0.0..=86_400.0).contains(seconds))
        .map(Duration::from_secs_f64);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
        if body.len() + chunk.len() > REPLY_BYTES {
            return Err(NoReply {
                was_not_sent: false,
                is_time_out: false,
                message: format!(
                    "the reply is longer than {} MiB",
                    REPLY_BYTES / (1024 * 1024)
                ),
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply {
        status,
        retry_after,
        body,
    })
}

/// Finds the cause of a failure in its chain.
fn explain(error: &reqwest::Error) -> NoReply {
    let host = error
        .url()
        .and_then(|url| url.host_str())
        .unwrap_or("the target")
        .to_owned();
    let message = cause(error, &host).unwrap_or_else(|| {
        if error.is_timeout() && error.is_connect() {
            format!(
                "`{host}` did not accept a connection in time: check address, port and firewall"
            )
        } else if error.is_timeout() {
            format!("`{host}` did not answer in time")
        } else if error.is_connect() {
            format!("`{host}` cannot be reached")
        } else {
            format!("the connection to `{host}` broke off")
        }
    });
    NoReply {
        was_not_sent: error.is_connect(),
        is_time_out: error.is_timeout(),
        message,
    }
}

fn cause(error: &reqwest::Error, host: &str) -> Option<String> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(refused) = current.downcast_ref::<std::sync::Arc<Refused>>() {
            return Some(refused.to_string());
        }
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            if let Some(tls) = tls_inside(io) {
                return Some(explain_tls(tls, host));
            }
            if io.kind() == std::io::ErrorKind::ConnectionRefused {
                return Some(format!(
                    "`{host}` refuses connections: nothing listens at this address and port"
                ));
            }
            // the resolver's failures carry no kind
            if error.is_connect() && io.to_string().contains("lookup") {
                return Some(format!(
                    "the name `{host}` cannot be resolved: check its spelling and this server's DNS"
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
fn tls_inside(error: &std::io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    match inner.downcast_ref::<std::io::Error>() {
        Some(deeper) => tls_inside(deeper),
        None => inner.downcast_ref(),
    }
}

fn explain_tls(error: &rustls::Error, host: &str) -> String {
    use rustls::CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            Certificate::Expired | Certificate::ExpiredContext { .. } => {
                format!("the TLS certificate of `{host}` has expired")
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                format!("the TLS certificate is for another name than `{host}`")
            }
            Certificate::UnknownIssuer => {
                format!(
                    "the TLS certificate of `{host}` was issued by nobody whom this server trusts"
                )
            }
            other => format!("the TLS certificate of `{host}` is not acceptable: {other:?}"),
        },
        rustls::Error::InvalidMessage(_) => {
            format!("`{host}` does not speak TLS at this port")
        }
        other => format!("no TLS connection to `{host}`: {other}"),
    }
}
