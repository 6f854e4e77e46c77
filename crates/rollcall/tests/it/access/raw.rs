//! Requests as they are written, byte for byte: a client library would tidy them up.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Reply {
    /// Returns a header; empty: it is not there.
    pub(super) fn header(&self, name: &str) -> &str {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(there, _)| there.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    }

    /// Tells whether the body is an error of SCIM (RFC 7644 §3.12) with the status of the answer.
    pub(super) fn is_scim_error(&self) -> bool {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        self.header("content-type") == "application/scim+json"
            && body["schemas"][0] == "urn:ietf:params:scim:api:messages:2.0:Error"
            && body["status"].as_str() == Some(&*self.status.to_string())
    }

    /// Tells whether the body is a problem (RFC 9457) with the status of the answer.
    pub(super) fn is_problem(&self) -> bool {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        let kind = body["type"].as_str().unwrap_or_default();
        self.header("content-type") == "application/problem+json"
            && kind.starts_with("urn:rollcall:problem:")
            && body["status"] == self.status
            && body["detail"].is_string()
    }

    /// Tells whether the body is a page of the console.
    pub(super) fn is_page(&self) -> bool {
        self.header("content-type").starts_with("text/html") && self.body.contains("</html>")
    }
}

/// Sends a request, on a connection of its own.
pub(super) async fn sent(
    host: &str,
    method: &str,
    target: &str,
    headers: &[(String, String)],
    body: &str,
) -> Reply {
    let lines = headers.iter();
    let lines: Vec<String> = lines
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let lines = lines.concat();
    let length = body.len();
    let text = raw(
        host,
        &format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{lines}\r\n{body}"),
    )
    .await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Reply {
        status: status.unwrap_or_default(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// Sends bytes and reads what comes back.
pub(crate) async fn raw(host: &str, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    // the server may close while the rest is still being written
    drop(stream.write_all(request.as_bytes()).await);
    let mut reply = Vec::new();
    drop(stream.read_to_end(&mut reply).await);
    String::from_utf8_lossy(&reply).into_owned()
}
