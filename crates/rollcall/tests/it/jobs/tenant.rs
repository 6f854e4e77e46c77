//! A tenant of Entra ID for tests: what Microsoft Graph answers about its people and groups.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The client secret of the application that reads.
pub(crate) const SECRET: &str = "secret-of-the-application";

/// Who is in the tenant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Population {
    /// As Graph shows them.
    pub(crate) users: Vec<Value>,
    pub(crate) groups: Vec<Value>,
    /// The ids of the members of every group.
    pub(crate) members: Vec<String>,
}

/// A tenant, and the service that tells of it.
pub(crate) struct Tenant {
    port: u16,
    members: Arc<Mutex<Population>>,
}

impl Tenant {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let members = Arc::<Mutex<Population>>::default();
        let shared = Arc::clone(&members);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, port, Arc::clone(&shared)));
            }
        });
        Self { port, members }
    }

    pub(crate) fn has(&self, members: Population) {
        *self.members.lock().unwrap() = members;
    }

    /// Returns the section of the source.
    pub(crate) fn section(&self) -> String {
        let at = format!("http://127.0.0.1:{}", self.port);
        format!(
            "kind = \"graph\"\ntenant = \"contoso.example\"\nclient_id = \"app\"\nclient_secret = {{ file = \"graph-secret\" }}\n\
             url = \"{at}/v1.0\"\nlogin = \"{at}\""
        )
    }
}

async fn serve(mut stream: TcpStream, port: u16, members: Arc<Mutex<Population>>) {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        match stream.read_buf(&mut bytes).await {
            Ok(1..) => {}
            _ => return,
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec())
        .unwrap()
        .to_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    while bytes.len() < head + length.unwrap_or(0) {
        match stream.read_buf(&mut bytes).await {
            Ok(1..) => {}
            _ => return,
        }
    }
    let body = String::from_utf8_lossy(&bytes[head..]).into_owned();
    let line = text.lines().next().unwrap_or_default().to_owned();
    let is_known = text.contains("authorization: bearer of-graph");
    let (status, body) = answer(&line, &body, is_known, (port, &members));
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    drop(stream.write_all(format!("{head}{body}").as_bytes()).await);
}

fn answer(
    line: &str,
    body: &str,
    is_known: bool,
    (port, members): (u16, &Mutex<Population>),
) -> (u16, Value) {
    if line.starts_with("post /contoso.example/oauth2/v2.0/token ") {
        if !body.contains(&format!("client_secret={SECRET}")) {
            return (
                401,
                json!({"error": "invalid_client", "error_description": "AADSTS7000215"}),
            );
        }
        return (200, json!({"access_token": "of-graph", "expires_in": 3599}));
    }
    if !is_known {
        return (
            401,
            json!({"error": {"code": "InvalidAuthenticationToken", "message": "no token"}}),
        );
    }
    let members = members.lock().unwrap().clone();
    let path = line.split(' ').nth(1).unwrap_or_default();
    let list = |value: Vec<Value>| (200, json!({"value": value}));
    match path.split('?').next().unwrap_or_default() {
        // one on a page
        "/v1.0/users" => {
            let number = path
                .split("page=")
                .nth(1)
                .and_then(|number| number.parse().ok());
            let number: usize = number.unwrap_or(0);
            let mut page =
                json!({"value": members.users.get(number).into_iter().collect::<Vec<_>>()});
            if number + 1 < members.users.len() {
                let next = format!("http://127.0.0.1:{port}/v1.0/users?page={}", number + 1);
                page["@odata.nextLink"] = json!(next);
            }
            (200, page)
        }
        "/v1.0/groups" => list(members.groups),
        path if path.ends_with("/members") => {
            list(members.members.iter().map(|id| json!({"id": id})).collect())
        }
        _ => (404, json!({"error": {"code": "NotFound", "message": path}})),
    }
}
