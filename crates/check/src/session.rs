//! One exam under way: asks, remembers what it created, and notes what it found.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use rollcall_connect::ask::{NoAnswer, Question};
use rollcall_connect::client::Client;
use serde_json::Value;
use url::Url;

use crate::catalogue::Promise;
use crate::report::{Evidence, Report, Verdict, Word, grade};
use crate::{Exam, Ungraded};

/// So much of a body is shown, in characters.
const SHOWN: usize = 600;

/// What is wrong with an answer, for people.
pub(crate) type Wrong = String;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    /// The holder of the token.
    Holder,
    /// Nobody in particular.
    Nobody,
    /// Somebody with another token.
    Stranger,
}

/// An answer, with the question that it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    asked: String,
    sent: Option<String>,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    text: String,
    /// The body; null when it is no JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// Returns what is at a place of the body (a JSON pointer, RFC 6901); null when there is nothing.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        at(&self.body, pointer)
    }

    /// Makes sure of the status.
    pub(crate) fn is(&self, status: u16) -> Result<&Self, Wrong> {
        if self.status == status {
            Ok(self)
        } else {
            Err(format!("it answered {} instead of {status}", self.status))
        }
    }

    /// Makes sure that the status is one of these.
    pub(crate) fn is_one_of(&self, all: &[u16]) -> Result<&Self, Wrong> {
        if all.contains(&self.status) {
            return Ok(self);
        }
        let all: Vec<String> = all.iter().map(u16::to_string).collect();
        let all = all.join(" or ");
        Err(format!("it answered {} instead of {all}", self.status))
    }

    /// Makes sure that the body is of this schema.
    pub(crate) fn has_schema(&self, schema: &str) -> Result<&Self, Wrong> {
        let schemas = self.at("/schemas").as_array();
        let is_there = schemas.is_some_and(|all| {
            all.iter()
                .filter_map(Value::as_str)
                .any(|one| one.eq_ignore_ascii_case(schema))
        });
        if is_there {
            Ok(self)
        } else {
            Err(format!("`schemas` does not name `{schema}`"))
        }
    }

    /// Makes sure that it is an error in SCIM's form, with this scimType where one is given.
    pub(crate) fn is_error(&self, scim_type: Option<&str>) -> Result<&Self, Wrong> {
        self.has_schema(rollcall_scim::error::ERROR_SCHEMA)?;
        if self.at("/status") != self.status.to_string().as_str() {
            return Err(format!(
                "`status` in the body is {}, and has to be the text \"{}\"",
                self.at("/status"),
                self.status
            ));
        }
        match scim_type {
            Some(expected) if self.at("/scimType") != expected => Err(format!(
                "`scimType` is {} instead of \"{expected}\"",
                self.at("/scimType")
            )),
            _ => Ok(self),
        }
    }

    /// Returns the resources of a list.
    pub(crate) fn resources(&self) -> &[Value] {
        self.at("/Resources").as_array().map_or(&[], Vec::as_slice)
    }

    /// Makes sure that it is a list, and returns how many there are in all.
    pub(crate) fn total(&self) -> Result<u64, Wrong> {
        self.is(200)?.has_schema(rollcall_scim::list::LIST_SCHEMA)?;
        self.at("/totalResults")
            .as_u64()
            .ok_or_else(|| "`totalResults` is no number".to_owned())
    }

    fn evidence(&self) -> Evidence {
        Evidence {
            asked: self.asked.clone(),
            sent: self.sent.clone(),
            status: self.status,
            answered: cut(&self.text),
        }
    }
}

/// Returns what is at a place of a value (a JSON pointer, RFC 6901); null when there is nothing.
pub(crate) fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// Makes sure that a value is what was to be.
pub(crate) fn equal(place: &str, found: &Value, expected: &Value) -> Result<(), Wrong> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("`{place}` is {found} instead of {expected}"))
    }
}

/// An exam under way.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    pub(crate) exam: Exam,
    verdicts: Vec<Verdict>,
    /// What was created and is still there, as paths.
    created: Vec<String>,
    left_behind: Vec<String>,
    /// The name of somebody whose creation was asked for, and not answered with an id.
    expected: Option<String>,
    last: Option<Evidence>,
    has_etags: bool,
    is_without_groups: bool,
}

impl Session {
    pub(crate) fn begin(client: Client, exam: Exam) -> Self {
        Self {
            client,
            exam,
            verdicts: Vec::new(),
            created: Vec::new(),
            left_behind: Vec::new(),
            expected: None,
            last: None,
            has_etags: false,
            is_without_groups: false,
        }
    }

    /// Asks as the holder of the token.
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, NoAnswer> {
        self.ask_as(As::Holder, method, path, (body, &[])).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, NoAnswer> {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn patch(
        &mut self,
        path: &str,
        operations: Value,
    ) -> Result<Answer, NoAnswer> {
        let body = serde_json::json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        self.ask(Method::PATCH, path, Some(body)).await
    }

    /// Asks as somebody, with header fields of one's own.
    pub(crate) async fn ask_as(
        &mut self,
        who: As,
        method: Method,
        path: &str,
        (body, more): (Option<Value>, &[(HeaderName, &str)]),
    ) -> Result<Answer, NoAnswer> {
        let sent = body.map(|body| body.to_string());
        let question = Question {
            method: method.clone(),
            url: self.url(path),
            headers: self.headers(who, sent.is_some(), more),
            body: sent.clone(),
        };
        let answer = self.client.ask(question).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let answer = Answer {
            asked: format!("{method} {path}"),
            sent: sent.as_deref().map(cut),
            status: answer.status,
            headers: answer.headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        };
        self.last = Some(answer.evidence());
        Ok(answer)
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.exam.base.clone();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        url.set_path(&format!(
            "{}{path}",
            self.exam.base.path().trim_end_matches('/')
        ));
        if !query.is_empty() {
            url.set_query(Some(query));
        }
        url
    }

    fn headers(&self, who: As, has_body: bool, more: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/scim+json"));
        if has_body {
            let kind = HeaderValue::from_static("application/scim+json");
            headers.insert(CONTENT_TYPE, kind);
        }
        let token = match who {
            As::Holder => Some(self.exam.token.expose().to_owned()),
            As::Stranger => Some(format!("not-a-token-{}", self.exam.mark)),
            As::Nobody => None,
        };
        let bearer = token.and_then(|token| format!("Bearer {token}").parse().ok());
        if let Some(bearer) = bearer {
            headers.insert(AUTHORIZATION, bearer);
        }
        for (name, value) in more {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        }
        headers
    }

    /// Notes what the endpoint says of itself.
    pub(crate) fn supports_etags(&mut self, supported: bool) {
        self.has_etags = supported;
    }

    /// Notes whether there are groups.
    pub(crate) fn has_groups(&mut self, are_there: bool) {
        self.is_without_groups = !are_there;
    }

    pub(crate) fn has_etags(&self) -> bool {
        self.has_etags
    }

    pub(crate) fn is_without_groups(&self) -> bool {
        self.is_without_groups
    }

    /// Tells whether a promise was judged already.
    pub(crate) fn has_noted(&self, promise: &Promise) -> bool {
        self.verdicts
            .iter()
            .any(|verdict| verdict.promise == promise)
    }

    /// Makes an earlier answer the evidence for what is judged next.
    pub(crate) fn show(&mut self, answer: &Answer) {
        self.last = Some(answer.evidence());
    }

    /// Notes what became of a promise. What was asked last is the evidence.
    pub(crate) fn note(&mut self, promise: &'static Promise, outcome: Result<(), Wrong>) -> bool {
        let is_kept = outcome.is_ok();
        self.verdicts.push(Verdict {
            promise,
            word: if is_kept { Word::Kept } else { Word::Broken },
            found: outcome.err(),
            evidence: self.last.take().filter(|_| !is_kept),
        });
        is_kept
    }

    /// Notes that a promise could not be tested.
    pub(crate) fn skip(&mut self, promise: &'static Promise, why: &str) {
        self.verdicts.push(Verdict {
            promise,
            word: Word::Untested,
            found: Some(why.to_owned()),
            evidence: None,
        });
    }

    /// Remembers what is to be deleted at the end; the last one first.
    pub(crate) fn keep(&mut self, path: &str) {
        self.expected = None;
        self.created.push(path.to_owned());
    }

    /// Forgets what was deleted.
    pub(crate) fn forget(&mut self, path: &str) {
        self.created.retain(|kept| kept != path);
    }

    /// Notes somebody whose creation is about to be asked for: who is not answered is looked for at the end.
    pub(crate) fn expect(&mut self, user_name: &str) {
        self.expected = Some(user_name.to_owned());
    }

    /// Deletes whatever is still there of this exam.
    pub(crate) async fn clean_up(&mut self) {
        if let Some(name) = self.expected.take() {
            let found = self
                .get(&format!("/Users?filter=userName eq \"{name}\""))
                .await;
            let ids = found.map(|found| {
                let ids = found.resources().iter().map(|one| at(one, "/id").as_str());
                ids.map(|id| format!("/Users/{}", id.unwrap_or_default()))
                    .collect()
            });
            match ids {
                Ok(paths) => self.created.extend::<Vec<String>>(paths),
                Err(_) => self.left_behind.push(name),
            }
        }
        while let Some(path) = self.created.pop() {
            let deleted = self.ask(Method::DELETE, &path, None).await;
            if !deleted.is_ok_and(|answer| matches!(answer.status, 200 | 202 | 204 | 404)) {
                self.left_behind.push(path);
            }
        }
    }

    /// Says what is left behind of an exam that was broken off.
    pub(crate) fn broken_off(self, cause: Ungraded) -> Ungraded {
        match cause {
            Ungraded::NoAnswer(cause) if !self.left_behind.is_empty() => Ungraded::BrokenOff {
                cause,
                left_behind: self.left_behind,
            },
            other => other,
        }
    }

    pub(crate) fn report(self) -> Report {
        Report {
            base: self.exam.base.to_string(),
            persona: self.exam.persona,
            writes: self.exam.writes,
            grade: grade(&self.verdicts),
            verdicts: self.verdicts,
            left_behind: self.left_behind,
        }
    }
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
