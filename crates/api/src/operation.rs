//! An operation: a route with its handler, and everything that is said of it.
//!
//! **Is:** where a request becomes values, and a value an answer. A handler takes a [`Call`], which has a query and a body of the types that
//! are described, and returns a value of the type that is described.
//! **Is not:** what an operation does; that is in the file of its noun.
//! **Start at** [`Operation::new`].

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use rollcall_app::Failure;
use rollcall_app::api_keys::KeyHolder;
use rollcall_app::directory::Context;
use rollcall_model::KeyRole;
use rollcall_web::gate::Seen;
use rollcall_web::table::{Entry, Key};
use rollcall_web::{body, limits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Api;
use crate::described::{Components, Described, Field, Fields};
use crate::problem::Problem;

/// The methods that operations have.
pub(crate) const GET: Method = Method::GET;
/// See [`GET`].
pub(crate) const POST: Method = Method::POST;
/// See [`GET`].
pub(crate) const DELETE: Method = Method::DELETE;

/// A request, as a handler gets it.
#[derive(Debug)]
pub(crate) struct Call<Q, B> {
    pub(crate) api: Api,
    pub(crate) holder: KeyHolder,
    pub(crate) path: HashMap<String, String>,
    pub(crate) query: Q,
    pub(crate) body: B,
}

impl<Q, B> Call<Q, B> {
    /// Returns in whose name, and where, it acts.
    pub(crate) fn context(&self) -> Context {
        self.holder.context()
    }

    /// Reads an id in the path. A text that is no id of ours names nothing here.
    pub(crate) fn id<T: FromStr>(&self, noun: &'static str) -> Result<T, Problem> {
        let text = self.path.get("id").map(String::as_str).unwrap_or_default();
        text.parse().map_err(|_| {
            let id = text.chars().take(64).collect();
            Problem::App(Failure::Missing { noun, id })
        })
    }

    /// Reads a word in the path.
    pub(crate) fn word<T>(&self, name: &str) -> Result<T, Problem>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.path.get(name).map(String::as_str).unwrap_or_default();
        let parsed = text.parse::<T>();
        parsed.map_err(|error| Problem::Wrong(error.to_string()))
    }
}

/// A route with its handler, and what is said of it.
#[derive(Debug)]
pub(crate) struct Operation {
    entry: Entry<Api, Key>,
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) role: KeyRole,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) query: fn(&mut Components) -> Vec<Field>,
    pub(crate) body: fn(&mut Components) -> Vec<Field>,
    pub(crate) answer: fn(&mut Components) -> Value,
}

/// What an operation is called, and what it does in one sentence.
pub(crate) type Said = (&'static str, &'static str);

impl Operation {
    /// Makes an operation that is answered with 200.
    pub(crate) fn new<Q, B, T, H, F>(
        (method, path): (Method, &'static str),
        role: KeyRole,
        (id, summary): Said,
        handler: H,
    ) -> Self
    where
        Q: DeserializeOwned + Fields + Send + 'static,
        B: DeserializeOwned + Fields + Send + 'static,
        T: Serialize + Described + 'static,
        H: Fn(Call<Q, B>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        let takes_body = method != Method::GET && method != Method::DELETE;
        let answers = async move |State(api): State<Api>, request: Request| {
            answered(api, request, takes_body, handler).await
        };
        let policy = Key(role);
        let entry = match method {
            Method::POST => Entry::post(path, policy, answers),
            Method::DELETE => Entry::delete(path, policy, answers),
            _ => Entry::get(path, policy, answers),
        };
        Self {
            entry,
            method,
            path,
            role,
            id,
            summary,
            status: StatusCode::OK,
            query: Q::fields,
            body: B::fields,
            answer: T::schema,
        }
    }

    /// Has it answered with another status.
    pub(crate) fn with(self, status: StatusCode) -> Self {
        Self {
            entry: self.entry.told(status),
            status,
            ..self
        }
    }

    pub(crate) fn into_entry(self) -> Entry<Api, Key> {
        self.entry
    }

    /// Tells whether its answer has a body.
    pub(crate) fn has_answer(&self) -> bool {
        self.status != StatusCode::NO_CONTENT
    }
}

/// Has a handler answer a request, whatever comes of it.
async fn answered<Q, B, T, H, F>(
    api: Api,
    request: Request,
    takes_body: bool,
    handler: H,
) -> Response
where
    Q: DeserializeOwned,
    B: DeserializeOwned,
    T: Serialize,
    H: Fn(Call<Q, B>) -> F,
    F: Future<Output = Result<T, Problem>>,
{
    let seen = request.extensions().get::<Seen>().map(|seen| seen.id);
    let status = request.extensions().get::<StatusCode>().copied();
    let done = async {
        let call = called(api, request, takes_body).await?;
        handler(call).await
    };
    match done.await {
        Ok(answer) => rendered(status.unwrap_or(StatusCode::OK), &answer),
        Err(problem) => problem.told(seen),
    }
}

/// Reads a request.
async fn called<Q: DeserializeOwned, B: DeserializeOwned>(
    api: Api,
    request: Request,
    takes_body: bool,
) -> Result<Call<Q, B>, Problem> {
    let (mut parts, sent) = request.into_parts();
    let holder = parts.extensions.get::<KeyHolder>().cloned();
    let holder = holder.ok_or(Problem::NoRoute)?;
    let path = Path::<HashMap<String, String>>::from_request_parts(&mut parts, &api).await;
    let path = path.map_or_else(|_| HashMap::new(), |Path(path)| path);
    let query = Query::<Q>::try_from_uri(&parts.uri)
        .map_err(|error| Problem::Wrong(format!("the query is wrong: {}", cause(&error))))?;
    let bytes = if takes_body {
        let read = body::read(sent, limits::API_BYTES, None).await;
        read.map_err(Problem::Unread)?
    } else {
        Bytes::default()
    };
    let text: &[u8] = if bytes.is_empty() {
        b"{}"
    } else if is_json(parts.headers.get(CONTENT_TYPE)) {
        &bytes
    } else {
        return Err(Problem::MediaType);
    };
    Ok(Call {
        api,
        holder,
        path,
        query: query.0,
        body: parsed(text)?,
    })
}

/// Reads a body; what is wrong is told with its place.
fn parsed<B: DeserializeOwned>(text: &[u8]) -> Result<B, Problem> {
    let wrong = |error: &dyn Display| Problem::Wrong(format!("the body is wrong: {error}"));
    let mut json = serde_json::Deserializer::from_slice(text);
    let body = serde_path_to_error::deserialize(&mut json).map_err(|error| wrong(&error))?;
    json.end().map_err(|error| wrong(&error))?;
    Ok(body)
}

/// Returns what an error says of its cause: what is wrong, without where it was noticed.
fn cause(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

fn is_json(declared: Option<&HeaderValue>) -> bool {
    let declared = declared.and_then(|value| value.to_str().ok());
    declared.is_some_and(|value| {
        let media_type = value.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("application/json")
    })
}

fn rendered(status: StatusCode, answer: &impl Serialize) -> Response {
    if status == StatusCode::NO_CONTENT {
        return status.into_response();
    }
    match serde_json::to_string(answer) {
        Ok(text) => (status, [(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => Problem::App(Failure::Internal(Box::new(error))).told(None),
    }
}
