//! A server for a test, and a client for it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

/// So many lines of what a server said are kept.
const LAST_WORDS: usize = 40;

/// An installation in a folder of its own.
pub(crate) struct Installation {
    pub(crate) folder: TempDir,
}

impl Installation {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Makes an installation with an organisation, and returns its provisioning token.
    pub(crate) fn with(organisation: &str) -> (Self, String) {
        let installation = Self::new();
        installation.ok(&["org", "create", organisation, "--name", "An organisation"]);
        let token = installation.ok(&["token", "create", "--org", organisation]);
        (installation, token)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        rollcall(self.folder.path(), arguments)
    }

    /// Runs a command, however it ends.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that has to work, and returns what it prints.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts a server.
    pub(crate) fn serve(&self, variables: &[(&str, &str)]) -> Server {
        Server::start(self.folder.path(), "127.0.0.1:0", variables)
    }

    /// Starts a server; returns, besides, what it says until it is there.
    pub(crate) fn serve_telling(&self) -> (Server, Vec<String>) {
        Server::start_telling(self.folder.path(), "127.0.0.1:0", &[])
    }
}

/// Returns a command of the binary, in a folder, with nothing of the environment that could change what it does.
pub(crate) fn rollcall(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.args(arguments).current_dir(folder).env_clear();
    command.env("TMPDIR", folder);
    crate::store::tell(&mut command, folder);
    command
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) url: String,
    /// What it said last, for whoever wonders why a test failed.
    last_words: Arc<Mutex<VecDeque<String>>>,
}

impl Server {
    pub(crate) fn start(folder: &Path, listen: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_telling(folder, listen, variables).0
    }

    /// Starts one; returns, besides, what it says until it is there.
    pub(crate) fn start_telling(
        folder: &Path,
        listen: &str,
        variables: &[(&str, &str)],
    ) -> (Self, Vec<String>) {
        let mut command = rollcall(folder, &["serve", "--listen", listen]);
        command.envs(variables.iter().copied());
        Self::of(command)
    }

    /// Starts what becomes a server; returns, besides, what it says until it is there.
    pub(crate) fn of(mut command: Command) -> (Self, Vec<String>) {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        for line in lines.by_ref().map_while(Result::ok) {
            let is_last = line.contains("stop it with");
            said.push(line);
            if is_last {
                break;
            }
        }
        // what else it says must not fill the pipe
        let last_words = Arc::<Mutex<VecDeque<String>>>::default();
        let heard = Arc::clone(&last_words);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut heard = heard.lock().unwrap();
                if heard.len() == LAST_WORDS {
                    heard.pop_front();
                }
                heard.push_back(line);
            }
        });
        let address = said
            .iter()
            .find_map(|line| Some(line.split_once(" on ")?.1.trim().to_owned()));
        let server = Self {
            process,
            last_words,
            url: format!("http://{}", address.unwrap()),
        };
        (server, said)
    }

    /// Waits for a line of its log with this in it.
    pub(crate) async fn said_line(&self, part: &str) -> String {
        for _ in 0..500 {
            let found = {
                let said = self.last_words.lock().unwrap();
                said.iter().find(|line| line.contains(part)).cloned()
            };
            match found {
                Some(line) => return line,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        panic!(
            "it never said `{part}`: {:?}",
            self.last_words.lock().unwrap()
        );
    }

    /// Returns a client of an organisation's endpoint.
    pub(crate) fn scim(&self, organisation: &str, token: &str) -> Scim {
        Scim::of(&format!("{}/scim/v2/{organisation}", self.url), token)
    }
}

impl Drop for Server {
    #[expect(
        clippy::print_stderr,
        reason = "whoever reads why a test failed reads this too"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ended = self.process.try_wait();
            eprintln!("the server has ended: {ended:?}; its last words:");
            for line in self.last_words.lock().unwrap().iter() {
                eprintln!("  {line}");
            }
        }
        drop(self.process.kill());
        drop(self.process.wait());
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
        // shorter than a server keeps a connection that nobody uses
        .pool_idle_timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

/// A SCIM client.
#[derive(Clone)]
pub(crate) struct Scim {
    pub(crate) base: String,
    pub(crate) authorization: Option<String>,
    client: reqwest::Client,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// Makes sure of the status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }
}

impl Scim {
    /// Makes a client of any endpoint.
    pub(crate) fn of(base: &str, token: &str) -> Self {
        Self {
            base: base.to_owned(),
            authorization: Some(format!("Bearer {token}")),
            client: client(),
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method: Method = method.parse().unwrap();
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/scim+json")
                .body(body.to_string());
        }
        answer(request).await
    }

    /// Sends a request that may fail on its way, or take longer than this.
    pub(crate) async fn attempt(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.request(method, path).timeout(patience);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/scim+json")
                .body(body.to_string());
        }
        attempt(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = serde_json::json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        self.send("PATCH", path, Some(&body)).await
    }

    /// Creates a person; returns the id.
    pub(crate) async fn person(&self, user_name: &str) -> String {
        let body = serde_json::json!({"userName": user_name});
        self.post("/Users", body).await.is(201).id()
    }

    /// Creates a group; returns the id.
    pub(crate) async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members
            .iter()
            .map(|id| serde_json::json!({"value": id}))
            .collect();
        let body = serde_json::json!({"displayName": name, "members": members});
        self.post("/Groups", body).await.is(201).id()
    }
}

/// Sends a request and reads the answer.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    attempt(request).await.unwrap()
}

async fn attempt(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await?;
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()))
    };
    Ok(Answer {
        status,
        headers,
        body,
    })
}
