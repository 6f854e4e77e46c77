//! One exam under way: asks, remembers what it created, and notes what it found.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use rollcall_connect::ask::{self, NoAnswer, Question};
use rollcall_connect::client::Client;
use serde_json::Value;
use url::Url;

use crate::catalogue::{PASSWORDS_ARE_NEVER_TOLD, Promise};
use crate::report::{Evidence, Report, Verdict, Word, grade};
use crate::{Exam, Persona};

/// So much of a body is shown, in characters.
const SHOWN: usize = 600;

/// After so many questions in a row without an answer nothing more is asked.
const PATIENCE: u32 = 3;

/// Why a promise is not seen to be kept, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// This was found instead.
    Found(String),
    /// It cannot be tested, for this reason.
    Untested(String),
}

impl From<String> for Wrong {
    fn from(found: String) -> Self {
        Self::Found(found)
    }
}

impl From<&str> for Wrong {
    fn from(found: &str) -> Self {
        Self::Found(found.to_owned())
    }
}

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
    /// The status, or why there is none.
    status: Result<u16, Wrong>,
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

    /// Makes sure that there is an answer, and returns its status.
    pub(crate) fn status(&self) -> Result<u16, Wrong> {
        self.status.clone()
    }

    /// Tells whether the status is one of these.
    pub(crate) fn has_status(&self, all: &[u16]) -> bool {
        self.status
            .as_ref()
            .is_ok_and(|status| all.contains(status))
    }

    /// Makes sure of the status.
    pub(crate) fn is(&self, status: u16) -> Result<&Self, Wrong> {
        self.is_one_of(&[status])
    }

    /// Makes sure that the status is one of these.
    pub(crate) fn is_one_of(&self, all: &[u16]) -> Result<&Self, Wrong> {
        let status = self.status()?;
        if all.contains(&status) {
            return Ok(self);
        }
        let all: Vec<String> = all.iter().map(u16::to_string).collect();
        let all = all.join(" or ");
        Err(format!("it answered {status} instead of {all}").into())
    }

    /// Makes sure that what was asked was done.
    pub(crate) fn is_success(&self) -> Result<&Self, Wrong> {
        match self.status()? {
            200..=299 => Ok(self),
            status => Err(format!("it answered {status}").into()),
        }
    }

    /// Tells whether what was asked was certainly not done: it was refused, or never asked.
    pub(crate) fn is_without_effect(&self) -> bool {
        matches!(self.status, Ok(400..=499) | Err(Wrong::Untested(_)))
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
            Err(format!("`schemas` does not name `{schema}`").into())
        }
    }

    /// Makes sure that it is an error in SCIM's form, with this scimType where one is given.
    pub(crate) fn is_error(&self, scim_type: Option<&str>) -> Result<&Self, Wrong> {
        self.has_schema(rollcall_scim::error::ERROR_SCHEMA)?;
        let status = self.status()?;
        if self.at("/status") != status.to_string().as_str() {
            return Err(format!(
                "`status` in the body is {}, and has to be the text \"{status}\"",
                self.at("/status"),
            )
            .into());
        }
        match scim_type {
            Some(expected) if self.at("/scimType") != expected => Err(format!(
                "`scimType` is {} instead of \"{expected}\"",
                self.at("/scimType")
            )
            .into()),
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
            .ok_or_else(|| "`totalResults` is no number".into())
    }

    fn evidence(&self) -> Evidence {
        Evidence {
            asked: self.asked.clone(),
            sent: self.sent.clone(),
            status: self.status.as_ref().ok().copied(),
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
        Err(format!("`{place}` is {found} instead of {expected}").into())
    }
}

/// Makes sure that a value is what was to be, in whatever case of its letters: an endpoint may alter that where an attribute is not
/// caseExact (RFC 7643 §7).
pub(crate) fn same(place: &str, found: &Value, expected: &str) -> Result<(), Wrong> {
    match found.as_str() {
        Some(text) if text.to_lowercase() == expected.to_lowercase() => Ok(()),
        _ => Err(format!("`{place}` is {found} instead of \"{expected}\"").into()),
    }
}

/// What is asked to be created. Its name holds the mark of the exam.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    /// `Users` or `Groups`.
    pub(crate) collection: &'static str,
    /// The attribute in which the name is.
    pub(crate) attribute: &'static str,
    pub(crate) name: String,
}

impl Expected {
    /// Tells whether a resource is this one: some endpoints answer with a resource, or an id, that belongs to somebody else.
    pub(crate) fn is(&self, resource: &Value) -> bool {
        let name = at(resource, &format!("/{}", self.attribute)).as_str();
        name.is_some_and(|name| name.to_lowercase() == self.name.to_lowercase())
    }

    /// Returns the path at which a resource is; absent: it has no id that could be part of one.
    pub(crate) fn path(&self, resource: &Value) -> Option<String> {
        let id = at(resource, "/id").as_str()?;
        // an empty id leads to the whole collection, and one of dots beyond it
        if matches!(id, "" | "." | "..") {
            return None;
        }
        let mut path = format!("/{}/", self.collection);
        for byte in id.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~:@!$'()*+,;=".contains(&byte) {
                path.push(char::from(byte));
            } else {
                path += &["%", &format!("{byte:02X}")].concat();
            }
        }
        Some(path)
    }

    /// Returns the path of a search for it.
    pub(crate) fn search(&self) -> String {
        format!(
            "/{}?filter={} eq \"{}\"",
            self.collection, self.attribute, self.name
        )
    }

    /// Returns the paths of what a search found; absent when it is no list, or one that holds anything else as well: then nobody can
    /// tell what the endpoint made of the filter.
    pub(crate) fn found_alone(&self, answer: &Answer) -> Option<Vec<String>> {
        let total = answer.total().ok()?;
        let all = answer.resources();
        if all.is_empty() && total > 0 {
            return None;
        }
        let mine = all.iter().filter(|one| self.is(one));
        let paths: Vec<String> = mine.filter_map(|one| self.path(one)).collect();
        (paths.len() == all.len()).then_some(paths)
    }
}

/// What the answers that showed people said of their passwords.
#[derive(Debug, Default)]
struct Passwords {
    has_people: bool,
    /// The first answer that told one.
    told: Option<Evidence>,
}

impl Passwords {
    fn look_at(&mut self, answer: &Answer) {
        if !answer.has_status(&[200, 201]) {
            return;
        }
        let mut people = std::iter::once(&answer.body)
            .chain(answer.resources())
            .filter(|one| at(one, "/userName").is_string() || at(one, "/id").is_string())
            .peekable();
        self.has_people |= people.peek().is_some();
        if self.told.is_none() && people.any(|one| !at(one, "/password").is_null()) {
            self.told = Some(answer.evidence());
        }
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
    /// What was asked to be created, and may be there without a known path.
    expected: Vec<Expected>,
    last: Option<Evidence>,
    /// How many questions in a row were not answered.
    unanswered: u32,
    passwords: Passwords,
    /// What the endpoint says of itself; null: nothing.
    configuration: Value,
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
            expected: Vec::new(),
            last: None,
            unanswered: 0,
            passwords: Passwords::default(),
            configuration: Value::Null,
            is_without_groups: false,
        }
    }

    /// Looks at the passwords of people from now on alone: who is there already is nobody's to be shown.
    pub(crate) fn begin_writing(&mut self) {
        self.passwords = Passwords::default();
    }

    /// Asks as the holder of the token.
    pub(crate) async fn ask(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.ask_as(As::Holder, method, path, (body, &[])).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn patch(&mut self, path: &str, operations: Value) -> Answer {
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
    ) -> Answer {
        let sent = body.map(|body| body.to_string());
        let asked = format!("{method} {path}");
        let question = Question {
            method,
            url: self.url(path),
            headers: self.headers(who, sent.is_some(), more),
            body: sent.clone(),
        };
        let (status, headers, body) = match self.answered(question).await {
            Ok(answer) => (Ok(answer.status), answer.headers, answer.body),
            Err(wrong) => (Err(wrong), HeaderMap::new(), Vec::new()),
        };
        let text = String::from_utf8_lossy(&body).into_owned();
        let answer = Answer {
            asked,
            sent: sent.as_deref().map(cut),
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        };
        if path.starts_with("/Users") {
            self.passwords.look_at(&answer);
        }
        self.last = Some(answer.evidence());
        answer
    }

    /// Asks, unless that has become useless.
    async fn answered(&mut self, question: Question) -> Result<ask::Answer, Wrong> {
        if let Some(why) = self.given_up() {
            return Err(why);
        }
        let wrong = match self.client.ask(question).await {
            Ok(answer) if answer.is_busy() => Wrong::Untested(format!(
                "it answered {} again and again, as one who asks to be left alone for a while",
                answer.status
            )),
            Ok(answer) => {
                self.unanswered = 0;
                return Ok(answer);
            }
            Err(NoAnswer(why)) => Wrong::Found(why),
        };
        self.unanswered += 1;
        Err(wrong)
    }

    fn given_up(&self) -> Option<Wrong> {
        let why =
            || format!("{PATIENCE} questions in a row were not answered, and no more were asked");
        (self.unanswered >= PATIENCE).then(|| Wrong::Untested(why()))
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
    pub(crate) fn is_configured(&mut self, configuration: Value) {
        self.configuration = configuration;
    }

    /// Tells whether the endpoint does without a feature that the RFC leaves to it. Entra and Okta do not ask before they use it.
    pub(crate) fn lacks(&self, feature: &str) -> bool {
        let supported = at(&self.configuration, &format!("/{feature}/supported"));
        self.exam.persona == Persona::Rfc && *supported == false
    }

    /// Tells whether a promise is not tested as the endpoint lacks the feature that it is about, and notes it then.
    pub(crate) fn skips(&mut self, promise: &'static Promise, feature: &str) -> bool {
        let lacks = self.lacks(feature);
        if lacks {
            self.skip(
                promise,
                &format!("the configuration says that `{feature}` is not supported"),
            );
        }
        lacks
    }

    /// Notes whether there are groups.
    pub(crate) fn has_groups(&mut self, are_there: bool) {
        self.is_without_groups = !are_there;
    }

    pub(crate) fn has_etags(&self) -> bool {
        *at(&self.configuration, "/etag/supported") == true
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
    pub(crate) fn note(&mut self, promise: &'static Promise, outcome: Result<(), Wrong>) {
        let evidence = self.last.take();
        let (word, found, evidence) = match outcome {
            Ok(()) => (Word::Kept, None, None),
            Err(Wrong::Found(found)) => (Word::Broken, Some(found), evidence),
            Err(Wrong::Untested(why)) => (Word::Untested, Some(why), None),
        };
        self.verdicts.push(Verdict {
            promise,
            word,
            found,
            evidence,
        });
    }

    /// Notes whether any answer so far told a password.
    pub(crate) fn note_passwords(&mut self) {
        let outcome = if let Some(told) = self.passwords.told.take() {
            self.last = Some(told);
            Err("`password` is in the answer".into())
        } else if self.passwords.has_people {
            Ok(())
        } else {
            Err(Wrong::Untested("no answer showed a person".to_owned()))
        };
        self.note(&PASSWORDS_ARE_NEVER_TOLD, outcome);
    }

    /// Notes that a promise could not be tested.
    pub(crate) fn skip(&mut self, promise: &'static Promise, why: &str) {
        let given_up = self.given_up();
        self.note(
            promise,
            Err(given_up.unwrap_or_else(|| Wrong::Untested(why.to_owned()))),
        );
    }

    /// Notes what is about to be created: unless it turns out what became of it, it is looked for at the end.
    pub(crate) fn expect(&mut self, expected: &Expected) {
        self.expected.push(expected.clone());
    }

    /// Notes that this was not created.
    pub(crate) fn give_up(&mut self, expected: &Expected) {
        self.expected.retain(|one| one != expected);
    }

    /// Remembers the path of what was created, which is to be deleted at the end; the last one first.
    pub(crate) fn keep(&mut self, expected: &Expected, path: &str) {
        self.give_up(expected);
        self.created.push(path.to_owned());
    }

    /// Forgets what was deleted.
    pub(crate) fn forget(&mut self, path: &str) {
        self.created.retain(|kept| kept != path);
    }

    /// Deletes whatever is still there of this exam, and nothing else.
    pub(crate) async fn clean_up(&mut self) {
        // whatever was given up, this is worth three more questions
        self.unanswered = 0;
        // each is forgotten only when it is settled: this may be interrupted
        while let Some(expected) = self.expected.last().cloned() {
            let found = self.get(&expected.search()).await;
            match expected.found_alone(&found) {
                Some(paths) => self.created.extend(paths),
                None => self.left_behind.push(expected.name),
            }
            self.expected.pop();
        }
        while let Some(path) = self.created.last().cloned() {
            let deleted = self.ask(Method::DELETE, &path, None).await;
            if !deleted.has_status(&[200, 202, 204, 404]) {
                self.left_behind.push(path);
            }
            self.created.pop();
        }
    }

    /// Gives up deleting what is still there.
    pub(crate) fn leave_behind(&mut self) {
        let names = self.expected.drain(..).map(|expected| expected.name);
        self.left_behind.extend(names);
        self.left_behind.append(&mut self.created);
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
