//! Somebody with a browser: keeps cookies, follows nothing by itself, fills the token into forms.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

use crate::support::{Installation, Server};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A browser's session with a server.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) base: String,
    pub(crate) cookies: BTreeMap<String, String>,
    client: reqwest::Client,
}

/// A page as it was answered.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Page {
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Where the answer sends the browser.
    pub(crate) fn to(&self) -> &str {
        self.headers
            .get("location")
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The token that forms of the page carry.
    pub(crate) fn token(&self) -> String {
        self.value("csrf")
    }

    /// The value of the first field of this name.
    pub(crate) fn value(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let rest = self.body.split(&mark).nth(1).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests call their own server, and need no guard"
)]
fn client() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

impl Guest {
    pub(crate) fn new(server: &Server) -> Self {
        Self {
            base: server.url.clone(),
            cookies: BTreeMap::new(),
            client: client(),
        }
    }

    /// Prepares a request with the cookies.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.base)
        };
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = self.client.request(method.parse().unwrap(), url);
        if cookies.is_empty() {
            request
        } else {
            request.header("cookie", cookies.join("; "))
        }
    }

    /// Sends a request and keeps the cookies of the answer.
    pub(crate) async fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for set in headers.get_all("set-cookie") {
            let text = set.to_str().unwrap();
            let (name, rest) = text.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if text.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Page {
            status,
            headers,
            body: response.text().await.unwrap(),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let request = self.request("GET", path);
        self.send(request).await
    }

    /// Sends a form as a page of this server would.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = self
            .request("POST", path)
            .header("origin", self.base.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded(fields));
        self.send(request).await
    }

    /// Looks at a page, and sends a form with its token.
    pub(crate) async fn submit(
        &mut self,
        page: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Page {
        let token = self.get(page).await.token();
        let mut fields = fields.to_vec();
        fields.push(("csrf", &token));
        self.post(action, &fields).await
    }

    /// Signs in; returns the answer to the form.
    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) -> Page {
        let fields = [("email", email), ("password", password)];
        self.submit("/signin", "/signin", &fields).await
    }
}

/// Encodes a form.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| -> String {
        text.bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect()
    };
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
        .collect();
    pairs.join("&")
}

/// Adds an administrator with [`PASSWORD`]; the first one is the owner.
pub(crate) fn administrator(installation: &Installation, organisation: &str, email: &str) {
    let arguments = [
        "admin",
        "create",
        "--org",
        organisation,
        "--email",
        email,
        "--password-stdin",
    ];
    let mut process = installation
        .command(&arguments)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let input = process.stdin.take();
    writeln!(input.unwrap(), "{PASSWORD}").unwrap();
    assert!(process.wait().unwrap().success());
}
