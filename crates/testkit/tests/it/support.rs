//! A client for the target.

use std::time::Duration;

use reqwest::Method;
use rollcall_testkit::Target;
use serde_json::{Value, json};

/// An answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Value,
}

/// A client that waits half a second at most.
pub(crate) struct Client<'t> {
    target: &'t Target,
    token: String,
    http: reqwest::Client,
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests call their own server, and need no guard"
)]
pub(crate) fn client(target: &Target) -> Client<'_> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_millis(500))
        .build()
        .unwrap();
    let token = target.token();
    Client {
        target,
        token,
        http,
    }
}

impl Client<'_> {
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method: Method = method.parse().unwrap();
        let request = self
            .http
            .request(method, format!("{}{path}", self.target.url()));
        request.bearer_auth(&self.token)
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/scim+json")
                .body(body.to_string());
        }
        answer(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(body)).await.unwrap()
    }

    pub(crate) async fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        self.send("PATCH", path, Some(body)).await.unwrap()
    }

    /// Creates a person; returns the id.
    pub(crate) async fn person(&self, user_name: &str) -> String {
        let created = self.post("/Users", json!({"userName": user_name})).await;
        assert_eq!(created.status, 201, "{created:?}");
        created.body["id"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after");
    let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
    let bytes = response.bytes().await?;
    Ok(Answer {
        status,
        retry_after,
        body: serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned().into()),
    })
}

/// Returns the userNames, or displayNames, of a list.
pub(crate) fn names(list: &Value) -> Vec<&str> {
    let resources = list["Resources"].as_array().unwrap();
    resources
        .iter()
        .filter_map(|resource| {
            resource
                .get("userName")
                .or(resource.get("displayName"))?
                .as_str()
        })
        .collect()
}
