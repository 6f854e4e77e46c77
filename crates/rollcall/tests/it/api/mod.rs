//! The JSON API as programs meet it. Every answer of every story here is compared with its description.

mod described;
mod documentation;
mod events;
mod isolation;
mod sending;
mod stories;

use std::sync::Arc;

use serde_json::Value;

use crate::support::{Answer, Installation, Scim, Server, answer};

use described::Description;

/// A program with an API key.
#[derive(Clone)]
pub(crate) struct Program {
    http: Scim,
    description: Arc<Description>,
}

impl Program {
    /// Makes a program with a key of its own.
    pub(crate) async fn new(
        installation: &Installation,
        server: &Server,
        organisation: &str,
        role: &str,
    ) -> Self {
        let create = ["api-key", "create", "--org", organisation, "--name", "test"];
        let key = installation.ok(&[&create[..], &["--role", role]].concat());
        Self::with(server, &key).await
    }

    /// Makes a program with a key.
    pub(crate) async fn with(server: &Server, key: &str) -> Self {
        let http = Scim::of(&format!("{}/api/v1", server.url), key);
        let mut open = Scim::of(&server.url, "");
        open.authorization = None;
        let description = open.get("/api/openapi.json").await.is(200).body;
        Self {
            http,
            description: Arc::new(Description::of(description)),
        }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.http.request(method, path);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let found = answer(request).await;
        self.description.compare(method, path, &found);
        if found.status >= 400 {
            let request = found.headers["x-request-id"].to_str().unwrap();
            assert_eq!(found.body["requestId"], request, "{method} {path}");
        }
        found
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(&body)).await
    }

    pub(crate) async fn act(&self, path: &str) -> Answer {
        self.send("POST", path, None).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).await
    }
}
