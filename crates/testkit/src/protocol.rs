//! SCIM over HTTP, without the HTTP: a request goes in, an answer comes out.
//!
//! **Is:** the addresses and methods, lists with their pages, the dialects, and the faults that change what an answer says.
//! **Is not:** connections; those, and the faults that end them, are [`crate::server`]'s.
//! **Start at** [`World::answer`].

use rollcall_model::Kind;
use rollcall_scim::error::{Error, ErrorKind};
use rollcall_scim::json;
use rollcall_scim::limits::STANDARD;
use rollcall_scim::patch::MemberChange;
use rollcall_scim::projection::Projection;
use rollcall_scim::version::{ETag, IfMatch};
use serde_json::{Value, json};

use crate::behaviour::{Behaviour, Fault, Play};
use crate::chance::Turns;
use crate::directory::{Directory, Terms, absent};
use crate::pages::DEFAULT_PAGE;
use crate::request::{Answer, BASE, Request, Route};
use crate::target::Recorded;

/// Everything that a target is and knows.
#[derive(Debug)]
pub(crate) struct World {
    /// The address of the endpoint.
    pub(crate) url: String,
    pub(crate) behaviour: Behaviour,
    pub(crate) is_calm: bool,
    pub(crate) directory: Directory,
    pub(crate) requests: Vec<Recorded>,
    turns: Turns,
}

impl World {
    pub(crate) fn new(url: String, behaviour: Behaviour) -> Self {
        Self {
            url,
            directory: Directory::new(behaviour.seed),
            behaviour,
            is_calm: false,
            requests: Vec::new(),
            turns: Turns::default(),
        }
    }

    /// Takes other rules from now on.
    pub(crate) fn behave(&mut self, behaviour: Behaviour) {
        self.behaviour = behaviour;
        self.turns = Turns::default();
        self.is_calm = false;
    }

    /// Answers a request: draws its fault, lets it have its effect unless the fault prevents that, and records it. Without an answer, the
    /// fault is one that ends the connection or keeps silent.
    pub(crate) fn answer(&mut self, request: Request) -> (Option<Answer>, Recorded) {
        let number = self.requests.len() as u64 + 1;
        let mut fault = self.draw(number, &request);
        let answer = match Course::of(fault.as_ref()) {
            Course::Refused(answer) => Some(answer),
            Course::Unanswered => None,
            Course::Usual => match self.handled(number, &request, fault.as_ref()) {
                Ok(answer) => Some(answer),
                Err(error) => Some(Answer::json(error.status(), &error.to_json())),
            },
        };
        let answer = match (answer, &fault) {
            (Some(answer), Some(Fault::CreatedWithoutId | Fault::CreatedWithForeignId))
                if answer.status != 201 =>
            {
                fault = None;
                Some(answer)
            }
            (_, Some(Fault::ResetAfterCommit | Fault::Silence { .. })) => None,
            (answer, _) => answer,
        };
        let query = request
            .query
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        let recorded = Recorded {
            number,
            method: request.method,
            path_and_query: format!("{}{query}", request.path),
            body: request.body,
            status: answer.as_ref().map(|answer| answer.status),
            fault,
        };
        self.requests.push(recorded.clone());
        (answer, recorded)
    }

    fn draw(&mut self, number: u64, request: &Request) -> Option<Fault> {
        if self.is_calm {
            return None;
        }
        let mut turns = std::mem::take(&mut self.turns);
        let plays = &self.behaviour.faults;
        let fault = turns.draw(self.behaviour.seed, number, plays, |play| {
            self.may_meet(play, request)
        });
        self.turns = turns;
        fault
    }

    /// Tells whether a fault can happen to a request at all.
    fn may_meet(&self, play: &Play, request: &Request) -> bool {
        let below = request.path.strip_prefix(BASE).unwrap_or(&request.path);
        let is_named = play.methods.is_empty()
            || play
                .methods
                .iter()
                .any(|method| method.eq_ignore_ascii_case(&request.method));
        if !is_named || !below.starts_with(&play.below) {
            return false;
        }
        let created = match request.route() {
            Route::All(kind) if request.method == "POST" => Some(kind),
            _ => None,
        };
        match play.fault {
            Fault::FilterIgnored | Fault::FilterWrong => {
                request.is_list() && request.parameter("filter").is_some()
            }
            Fault::TotalTooHigh { .. } | Fault::TotalTooLow { .. } => request.is_list(),
            Fault::PageShifted | Fault::PageReordered => request.is_later_page(),
            Fault::CursorExpired => request.is_list() && request.parameter("cursor").is_some(),
            Fault::MembersLost => request.adds_members(),
            Fault::CreatedWithoutId => created.is_some(),
            Fault::CreatedWithForeignId => {
                created.is_some_and(|kind| !self.directory.places(kind).is_empty())
            }
            // a DELETE, and a PATCH of a group, are answered without a body
            Fault::TruncatedBody => match request.route() {
                Route::One(kind, _) => {
                    matches!(request.method.as_str(), "GET" | "PUT")
                        || (request.method == "PATCH" && kind == Kind::User)
                }
                _ => true,
            },
            _ => true,
        }
    }

    fn handled(
        &mut self,
        number: u64,
        request: &Request,
        fault: Option<&Fault>,
    ) -> Result<Answer, Error> {
        let expected = format!("Bearer {}", self.behaviour.token);
        if request.authorization.as_deref() != Some(expected.as_str()) {
            return Err(Error::new(
                ErrorKind::Unauthorized,
                "the bearer token is not the right one",
            ));
        }
        let terms = Terms {
            request: number,
            unique: self.behaviour.dialect.unique,
            keeps_ids: self.behaviour.dialect.keeps_ids,
            loses_members: fault == Some(&Fault::MembersLost),
        };
        match (request.method.as_str(), request.route()) {
            ("GET", Route::Config) => self.config(),
            ("GET", Route::All(kind)) => self.list(kind, request, fault),
            ("POST", Route::All(kind)) => {
                let id = self.directory.create(kind, body(request)?, terms)?;
                let shown = self.shown(kind, &id, &projection(self, kind, request)?)?;
                Ok(Answer::json(201, &self.dressed(kind, shown, fault)))
            }
            ("GET", Route::One(kind, id)) => {
                let shown = self.shown(kind, &id, &projection(self, kind, request)?)?;
                Ok(Answer::json(200, &shown))
            }
            ("PUT", Route::One(kind, id)) => {
                if self.behaviour.dialect.put_requires_if_match && request.if_match.is_none() {
                    let error =
                        Error::new(ErrorKind::PreconditionFailed, "PUT requires `If-Match`");
                    return Ok(Answer::json(428, &error.to_json()));
                }
                self.check_version(kind, &id, request)?;
                self.directory.replace(kind, &id, body(request)?, terms)?;
                let shown = self.shown(kind, &id, &projection(self, kind, request)?)?;
                Ok(Answer::json(200, &shown))
            }
            ("PATCH", Route::One(kind, id)) => self.patch(kind, &id, request, terms),
            ("DELETE", Route::One(kind, id)) => {
                self.check_version(kind, &id, request)?;
                self.directory.delete(kind, &id, terms)?;
                Ok(Answer::empty())
            }
            (_, Route::Elsewhere(path)) => {
                let detail = format!("there is nothing at `{path}`");
                Err(Error::new(ErrorKind::NotFound, detail))
            }
            (method, _) => {
                let detail = format!("{method} is not offered here");
                Err(Error::new(ErrorKind::MethodNotAllowed, detail))
            }
        }
    }

    fn patch(
        &mut self,
        kind: Kind,
        id: &str,
        request: &Request,
        terms: Terms,
    ) -> Result<Answer, Error> {
        let dialect = &self.behaviour.dialect;
        if dialect.no_patch {
            return Err(Error::new(
                ErrorKind::MethodNotAllowed,
                "PATCH is not offered",
            ));
        }
        self.check_version(kind, id, request)?;
        let patch = self.directory.read_patch(kind, &body(request)?)?;
        let count: usize = patch.clone().take_members().iter().map(touched).sum();
        if let Some(most) = dialect.patch_members.filter(|most| count > *most) {
            let detail = format!("a PATCH changes at most {most} members, and this one {count}");
            let error = Error::new(ErrorKind::TooMany, detail);
            return Ok(Answer::json(dialect.patch_members_status, &error.to_json()));
        }
        self.directory.patch(kind, id, patch, terms)?;
        if kind == Kind::Group {
            return Ok(Answer::empty());
        }
        let shown = self.shown(kind, id, &projection(self, kind, request)?)?;
        Ok(Answer::json(200, &shown))
    }

    fn shown(&self, kind: Kind, id: &str, projection: &Projection) -> Result<Value, Error> {
        let entry = self.directory.entry(kind, id).ok_or_else(absent)?;
        Ok(self
            .directory
            .shown(kind, entry, &self.url, Some(projection)))
    }

    /// Gives a created resource a false id, or none, where a fault wants that.
    fn dressed(&self, kind: Kind, mut shown: Value, fault: Option<&Fault>) -> Value {
        let Some(document) = shown.as_object_mut() else {
            return shown;
        };
        match fault {
            Some(Fault::CreatedWithoutId) => {
                document.shift_remove("id");
            }
            Some(Fault::CreatedWithForeignId) => {
                let places = self.directory.places(kind);
                let first = places
                    .first()
                    .and_then(|place| self.directory.at(kind, *place));
                if let Some(other) = first {
                    document.insert("id".to_owned(), other.id.as_str().into());
                }
            }
            _ => {}
        }
        shown
    }

    fn check_version(&self, kind: Kind, id: &str, request: &Request) -> Result<(), Error> {
        let Some(header) = &request.if_match else {
            return Ok(());
        };
        let entry = self.directory.entry(kind, id).ok_or_else(absent)?;
        match IfMatch::parse(header)? {
            IfMatch::Versions(versions) if !versions.contains(&entry.version) => {
                let detail = format!("the present version is {}", ETag(entry.version));
                Err(Error::new(ErrorKind::PreconditionFailed, detail))
            }
            _ => Ok(()),
        }
    }

    fn config(&self) -> Result<Answer, Error> {
        let dialect = &self.behaviour.dialect;
        if dialect.no_service_provider_config {
            return Err(absent());
        }
        let pagination = json!({
            "cursor": dialect.cursors,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_PAGE.min(dialect.page_size),
            "maxPageSize": dialect.page_size,
        });
        let config = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "patch": {"supported": !dialect.no_patch},
            "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
            "filter": {"supported": true, "maxResults": dialect.page_size},
            "changePassword": {"supported": false},
            "sort": {"supported": false},
            "etag": {"supported": true},
            "pagination": pagination,
            "authenticationSchemes": [{
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "The token of the target's behaviour",
            }],
        });
        Ok(Answer::json(200, &config))
    }
}

/// What a fault lets a request come to.
enum Course {
    /// An answer instead of an effect.
    Refused(Answer),
    /// Neither.
    Unanswered,
    /// An effect; the answer may still be spoilt.
    Usual,
}

impl Course {
    fn of(fault: Option<&Fault>) -> Self {
        let (kind, status, retry_after) = match fault {
            Some(Fault::TooManyRequests { retry_after }) => {
                (ErrorKind::TooManyRequests, 429, *retry_after)
            }
            Some(Fault::ServerError) => (ErrorKind::Internal, 500, None),
            Some(Fault::BadGateway) => (ErrorKind::Internal, 502, None),
            Some(Fault::Unavailable { retry_after }) => (ErrorKind::Unavailable, 503, *retry_after),
            Some(Fault::Unauthorized) => (ErrorKind::Unauthorized, 401, None),
            Some(Fault::Forbidden) => (ErrorKind::Forbidden, 403, None),
            Some(Fault::Html) => return Self::Refused(Answer::page_for_people()),
            Some(
                Fault::ResetBeforeCommit
                | Fault::Silence {
                    takes_effect: false,
                },
            ) => {
                return Self::Unanswered;
            }
            _ => return Self::Usual,
        };
        let mut body = Error::new(kind, "the target was told to fail").to_json();
        if let Some(body) = body.as_object_mut() {
            body.insert("status".to_owned(), status.to_string().into());
        }
        Self::Refused(Answer {
            retry_after,
            ..Answer::json(status, &body)
        })
    }
}

fn body(request: &Request) -> Result<Value, Error> {
    json::parse(&request.body, &STANDARD)
}

fn projection(world: &World, kind: Kind, request: &Request) -> Result<Projection, Error> {
    let is_ignored = world.behaviour.dialect.ignores_excluded_attributes;
    let excluded = request
        .parameter("excludedAttributes")
        .filter(|_| !is_ignored);
    let attributes = request.parameter("attributes");
    Projection::parse(
        attributes.as_deref(),
        excluded.as_deref(),
        world.directory.resource_type(kind),
    )
}

/// Returns how many members a change names.
fn touched(change: &MemberChange) -> usize {
    match change {
        MemberChange::Add(members) | MemberChange::Replace(members) => members.len(),
        MemberChange::Remove(ids) => ids.len(),
        MemberChange::RemoveAll | MemberChange::RemoveWhere(_) => 1,
    }
}
