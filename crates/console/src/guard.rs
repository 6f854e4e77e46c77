//! What every request of the console goes through before its handler: where it comes from, who it is, what they may do.
//!
//! A form is read here, and only here: its token is compared before anything of it is believed. A handler finds a [`Form`] and a
//! [`Visit`] in the request's extensions, or is not run.

#![expect(
    clippy::result_large_err,
    reason = "an answer that ends the request is sent as it is"
)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{HOST, ORIGIN, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method};
use ring::digest::{SHA256, digest};
use rollcall_app::Failure;
use rollcall_app::sign_in::{Knock, Proof, Visitor};
use rollcall_model::{Permission, Secret, Stage};
use rollcall_web::body::{Unread, read};
use rollcall_web::gate::Seen;
use rollcall_web::limits;
use rollcall_web::room::{Place, Room};
use subtle::ConstantTimeEq;

use crate::cookies::Cookie;
use crate::form::Form;
use crate::layout::Mistakes;
use crate::problem::Problem;
use crate::table::{Asks, Needs};
use crate::{Console, layout, pages};

/// So many sent forms are remembered.
const REMEMBERED: usize = 10_000;

/// One request, as handlers see it.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// Whose request it is; absent: nobody has signed in.
    pub(crate) visitor: Option<Visitor>,
    /// The token that forms of the answer carry.
    pub(crate) csrf: String,
    /// From where it comes.
    pub(crate) knock: Knock,
    /// A message for this page, left by the one before.
    pub(crate) flash: Option<layout::Flash>,
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::internal("a route without a guard"))
    }
}

impl<S: Sync> FromRequestParts<S> for Form {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::internal("a route without a form"))
    }
}

/// A request of somebody who has signed in.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Who.
    pub(crate) visitor: Visitor,
    /// The request.
    pub(crate) visit: Visit,
}

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let visit = Visit::from_request_parts(parts, state).await?;
        let visitor = visit
            .visitor
            .clone()
            .ok_or_else(|| Problem::internal("a route that forgot to ask who it is"))?;
        Ok(Self { visitor, visit })
    }
}

/// The forms that were sent, by their marks: one that is sent twice is answered once.
#[derive(Debug, Default)]
pub(crate) struct Sent(Mutex<VecDeque<String>>);

impl Sent {
    /// Notes that a form was sent; tells whether it was the first time.
    fn first(&self, mark: &str) -> bool {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.iter().any(|known| known == mark) {
            return false;
        }
        if sent.len() == REMEMBERED {
            sent.pop_front();
        }
        sent.push_back(mark.to_owned());
        true
    }
}

/// Lets a request through to its handler, or answers it.
pub(crate) async fn check(
    State((console, asks)): State<(Console, Asks)>,
    mut request: Request,
    next: Next,
) -> Response {
    match enter(&console, asks, &mut request).await {
        Ok(Entered {
            flash,
            renewed,
            place: _place,
        }) => {
            let secure = console.is_secure();
            let mut response = next.run(request).await;
            let headers = response.headers_mut();
            if flash {
                Cookie::Flash.set(headers, secure, None);
            }
            if let Some(proof) = renewed {
                console.keep(headers, &proof);
            }
            response
        }
        Err(answer) => answer,
    }
}

struct Entered {
    /// Whether a message was read, and is to be forgotten.
    flash: bool,
    /// A session that was renewed on the way.
    renewed: Option<Proof>,
    /// The room of what was sent, as long as it is worked on.
    place: Option<Arc<Place>>,
}

async fn enter(console: &Console, asks: Asks, request: &mut Request) -> Result<Entered, Response> {
    let Asks { needs, .. } = asks;
    let secure = console.is_secure();
    let seen = request
        .extensions()
        .get::<Seen>()
        .copied()
        .ok_or_else(|| Problem::internal("a request without an id").into_response())?;
    let knock = knock(request.headers(), seen, secure);
    let cookie = Cookie::Session.read(request.headers(), secure);
    let mut visitor = match &cookie {
        Some(cookie) => console
            .app
            .visitor(cookie, seen.id, knock.address.clone())
            .await
            .map_err(|failure| Problem::from(failure).into_response())?,
        None => None,
    };
    let visit_cookie = Cookie::Visit.read(request.headers(), secure);
    let csrf = match (&visitor, &cookie, &visit_cookie) {
        (Some(_), Some(cookie), _) => csrf(cookie),
        (_, _, Some(visit)) => csrf(visit),
        _ => String::new(),
    };
    let mut renewed = None;
    let mut place = None;
    if request.method() == Method::POST {
        same_site(console, request.headers())?;
        let limit = form_bytes(asks, visitor.as_ref());
        let room = request.extensions().get::<Arc<Room>>();
        place =
            (visitor.as_ref().zip(room)).map(|(visitor, room)| room.place(visitor.organisation.id));
        let body = std::mem::take(request.body_mut());
        let body = read(body, limit, place.as_deref()).await.map_err(unread)?;
        let form = Form::parse(request.headers(), body)
            .await
            .map_err(|error| Problem::refused(error.to_string()).into_response())?;
        let is_right: bool = form.raw("csrf").as_bytes().ct_eq(csrf.as_bytes()).into();
        if csrf.is_empty() || !is_right {
            return Err(Problem::Stale.into_response());
        }
        if let (Needs::Fresh(_), Some(known)) = (needs, &visitor)
            && !known.session.is_fresh(console.app.now())
        {
            let action = request.uri().path().to_owned();
            let proof = proven(console, known, &form, &knock, &action).await?;
            visitor = console
                .app
                .visitor(&proof.cookie, seen.id, knock.address.clone())
                .await
                .map_err(|failure| Problem::from(failure).into_response())?;
            renewed = Some(proof);
        }
        // only what is about to be done counts as sent
        if let Some(once) = form.filled("once")
            && !console.sent.first(&format!("{csrf}{once}"))
        {
            return Err(Problem::SentBefore.into_response());
        }
        request.extensions_mut().insert(form);
    } else {
        let query = request.uri().query().unwrap_or_default();
        let form = Form::of_query(query);
        request.extensions_mut().insert(form);
    }
    let address = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    admit(console, needs, visitor.as_ref(), request.method(), &address)?;
    let flash = Cookie::Flash.read(request.headers(), secure);
    let flash = flash.and_then(|text| layout::Flash::opened(console, &text));
    // forms of the answer belong to the session as it is now
    let csrf = renewed
        .as_ref()
        .map_or(csrf, |proof| self::csrf(&proof.cookie));
    let entered = Entered {
        flash: flash.is_some(),
        renewed,
        place,
    };
    request.extensions_mut().insert(Visit {
        visitor,
        csrf,
        knock,
        flash,
    });
    Ok(entered)
}

/// Returns how much is read of a form, in bytes: of whoever may not send it no more than anybody's sign-in takes.
fn form_bytes(Asks { needs, bytes }: Asks, visitor: Option<&Visitor>) -> usize {
    let is_in = visitor.filter(|visitor| visitor.session.stage == Stage::Full);
    let may_send = is_in.is_some_and(|visitor| match needs {
        Needs::Role(permission) | Needs::Fresh(permission) => visitor.may(permission).is_ok(),
        Needs::Nothing | Needs::Begun | Needs::Session => true,
    });
    if may_send {
        bytes
    } else {
        bytes.min(limits::GUEST_FORM_BYTES)
    }
}

/// Makes sure that the visitor is who the route needs.
fn admit(
    console: &Console,
    needs: Needs,
    visitor: Option<&Visitor>,
    method: &Method,
    address: &str,
) -> Result<(), Response> {
    if needs == Needs::Nothing {
        return Ok(());
    }
    let Some(visitor) = visitor else {
        let after = (method == Method::GET && address != "/").then(|| console.marked(address));
        let to = after.map_or_else(
            || "/signin".to_owned(),
            |next| format!("/signin?next={}", layout::encoded(&next)),
        );
        return Err(Redirect::to(&to).into_response());
    };
    if needs == Needs::Begun {
        return Ok(());
    }
    match visitor.session.stage {
        Stage::SecondFactor => return Err(Redirect::to("/signin/code").into_response()),
        Stage::Enrolment => return Err(Redirect::to("/signin/enrol").into_response()),
        Stage::Full => {}
    }
    match needs {
        Needs::Role(permission) | Needs::Fresh(permission) => allowed(visitor, permission),
        Needs::Nothing | Needs::Begun | Needs::Session => Ok(()),
    }
}

fn allowed(visitor: &Visitor, permission: Permission) -> Result<(), Response> {
    visitor
        .may(permission)
        .map_err(|failure| Problem::from(failure).into_response())
}

/// Asks who sends a form for the password, unless the form has it: then the session is renewed.
async fn proven(
    console: &Console,
    visitor: &Visitor,
    form: &Form,
    knock: &Knock,
    action: &str,
) -> Result<Proof, Response> {
    let ask = |mistakes| {
        let page = pages::prove::page(action, form, visitor, mistakes);
        layout::rendered(&page)
    };
    if !form.has("proof_password") {
        return Err(ask(Mistakes::default()));
    }
    let missing = pages::prove::missing(form);
    if !missing.is_empty() {
        return Err(ask(missing));
    }
    let password = Secret::new(form.raw("proof_password"));
    match console.app.prove(visitor, password, knock).await {
        Ok(proof) => Ok(proof),
        Err(
            failure @ (rollcall_app::Failure::Forbidden { .. }
            | rollcall_app::Failure::TooMany { .. }),
        ) => Err(ask(Mistakes::one("proof", failure.to_string()))),
        Err(failure) => Err(Problem::from(failure).into_response()),
    }
}

/// Refuses a form that another site sent. Every browser says where a form comes from; who does not say it is refused.
fn same_site(console: &Console, headers: &HeaderMap) -> Result<(), Response> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return if site == "same-origin" {
            Ok(())
        } else {
            Err(Problem::Elsewhere.into_response())
        };
    }
    let origin = text(ORIGIN.as_str()).unwrap_or_default();
    let authority = origin.split_once("://").map_or("", |(_, rest)| rest);
    let ours = [
        text(HOST.as_str()),
        console
            .app
            .settings()
            .public_url
            .split_once("://")
            .map(|(_, rest)| rest),
    ];
    if !authority.is_empty() && ours.contains(&Some(authority)) {
        Ok(())
    } else {
        Err(Problem::Elsewhere.into_response())
    }
}

fn unread(unread: Unread) -> Response {
    let problem = match unread {
        Unread::TooLarge { limit } => Problem::refused(format!(
            "this is more than the {} KiB that this form may have",
            limit / 1024
        )),
        Unread::NoRoom => Problem::from(Failure::busy()),
        Unread::TooSlow | Unread::Broken => {
            Problem::refused("the form did not arrive whole: send it again".to_owned())
        }
    };
    problem.into_response()
}

fn knock(headers: &HeaderMap, seen: Seen, secure: bool) -> Knock {
    let agent = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok());
    Knock {
        request: seen.id,
        address: seen.address.map(|address| address.to_string()),
        network: seen
            .address
            .map(|address| rollcall_web::rates::network(address).to_string())
            .unwrap_or_default(),
        agent: agent.map(str::to_owned),
        device: Cookie::Device
            .read(headers, secure)
            .map(|device| device.expose().to_owned()),
    }
}

/// Returns the token of forms that belong to a cookie: who does not know the cookie cannot make it.
pub(crate) fn csrf(cookie: &Secret) -> String {
    let text = format!("form {}", cookie.expose());
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

impl Console {
    /// Tells whether browsers reach this installation over https.
    pub(crate) fn is_secure(&self) -> bool {
        self.app.settings().public_url.starts_with("https://")
    }

    /// Puts a session into the browser.
    pub(crate) fn keep(&self, headers: &mut HeaderMap, proof: &Proof) {
        let secure = self.is_secure();
        Cookie::Session.set(headers, secure, Some(proof.cookie.expose()));
        if proof.stage == Stage::Full {
            Cookie::Device.set(headers, secure, Some(&proof.device));
        }
        Cookie::Visit.set(headers, secure, None);
    }

    /// Marks an address of this console, so that it is known again when it comes back: `mark.address`.
    pub(crate) fn marked(&self, address: &str) -> String {
        let mark = self.app.sealer().mark(format!("next {address}").as_bytes());
        format!("{}.{address}", URL_SAFE_NO_PAD.encode(mark))
    }

    /// Returns the address that was marked, if it was.
    pub(crate) fn unmarked<'t>(&self, text: &'t str) -> Option<&'t str> {
        let (_, address) = text.split_once('.')?;
        let is_ours: bool = self
            .marked(address)
            .as_bytes()
            .ct_eq(text.as_bytes())
            .into();
        is_ours.then_some(address)
    }
}
