//! Coming in and going out: password, code, one-time link, the first set-up.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rollcall_app::Failure;
use rollcall_app::sign_in::{Attempt, Proof, SignIn};
use rollcall_model::{Email, Secret, Slug, Stage};

use crate::Console;
use crate::cookies::Cookie;
use crate::filters;
use crate::form::Form;
use crate::guard::{Known, Visit, csrf};
use crate::layout::{self, Bare, Flash, Mistakes};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::sentence;

pub(crate) fn routes() -> Routes {
    vec![
        page("/signin", Needs::Nothing, look),
        action("/signin", Needs::Nothing, sign_in),
        page("/signin/code", Needs::Begun, look_at_code),
        action("/signin/code", Needs::Begun, code),
        action("/signout", Needs::Begun, sign_out),
        page("/signin/link", Needs::Nothing, look_at_link),
        action("/signin/link", Needs::Nothing, use_link),
        page("/setup", Needs::Nothing, look_at_set_up),
        action("/setup", Needs::Nothing, set_up),
    ]
}

#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    bare: Bare,
    region: String,
    host: String,
    /// Where other regions are.
    regions: Vec<(String, String)>,
    email: String,
    /// The organisations in which address and password fit, by slug and name, when there are several.
    organisations: Vec<(String, String)>,
    /// Where to go afterwards, marked.
    next: String,
    told: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "sign_in_code.html")]
struct CodePage {
    bare: Bare,
    next: String,
    error: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "link.html")]
struct LinkPage {
    bare: Bare,
    token: String,
    organisation: String,
    email: String,
    name: String,
    /// Whether they have never signed in.
    first: bool,
    mistakes: Mistakes,
}

#[derive(Debug, Default, Template)]
#[template(path = "set_up.html")]
struct SetUpPage {
    bare: Bare,
    base: String,
    code: String,
    name: String,
    slug: String,
    email: String,
    mistakes: Mistakes,
}

impl Default for Bare {
    fn default() -> Self {
        Self::new("Set up")
    }
}

impl SignInPage {
    fn new(console: &Console, csrf: &str) -> Self {
        let settings = console.app.settings();
        Self {
            bare: Bare::with_forms("Sign in", csrf),
            region: settings.region.to_string(),
            host: host(&settings.public_url),
            regions: settings
                .regions
                .iter()
                .filter(|(region, _)| **region != settings.region)
                .map(|(region, url)| (region.to_string(), url.clone()))
                .collect(),
            email: String::new(),
            organisations: Vec::new(),
            next: String::new(),
            told: None,
            error: None,
        }
    }
}

fn host(url: &str) -> String {
    url.split_once("://")
        .map_or(url, |(_, host)| host)
        .to_owned()
}

/// Binds the forms of a page to this browser, which has no session yet: returns their token and, when it is new, the cookie.
fn bound(console: &Console, visit: &Visit) -> (String, Option<String>) {
    if visit.visitor.is_none() && !visit.csrf.is_empty() {
        return (visit.csrf.clone(), None);
    }
    let mut bytes = [0; 32];
    console.app.randomness().fill(&mut bytes);
    let cookie = URL_SAFE_NO_PAD.encode(bytes);
    (csrf(&Secret::new(cookie.clone())), Some(cookie))
}

/// Answers with a page whose forms are bound to this browser.
pub(super) fn answered(
    console: &Console,
    visit: &Visit,
    make: impl FnOnce(&str) -> Response,
) -> Response {
    let (csrf, cookie) = bound(console, visit);
    let mut response = make(&csrf);
    if let Some(cookie) = cookie {
        let secure = console.is_secure();
        Cookie::Visit.set(response.headers_mut(), secure, Some(&cookie));
        // a page for somebody else: whoever was signed in here is not any more
        Cookie::Session.set(response.headers_mut(), secure, None);
    }
    response
}

/// Goes on after a step of a sign-in.
fn onwards(console: &Console, proof: &Proof, next: &str) -> Response {
    let to = match proof.stage {
        Stage::SecondFactor if next.is_empty() => "/signin/code".to_owned(),
        Stage::SecondFactor => format!("/signin/code?next={}", layout::encoded(next)),
        Stage::Enrolment => "/signin/enrol".to_owned(),
        Stage::Full => console.unmarked(next).unwrap_or("/").to_owned(),
    };
    let mut response = Redirect::to(&to).into_response();
    console.keep(response.headers_mut(), proof);
    response
}

async fn look(State(console): State<Console>, visit: Visit, query: Form) -> Response {
    let is_in = |visitor: &rollcall_app::sign_in::Visitor| visitor.session.stage == Stage::Full;
    if visit.visitor.as_ref().is_some_and(is_in) {
        return Redirect::to("/").into_response();
    }
    answered(&console, &visit, |csrf| {
        layout::rendered(&SignInPage {
            next: query.text("next").to_owned(),
            told: visit.flash.as_ref().map(|flash| flash.text.clone()),
            ..SignInPage::new(&console, csrf)
        })
    })
}

async fn sign_in(
    State(console): State<Console>,
    visit: Visit,
    form: Form,
) -> Result<Response, Problem> {
    let again = |error: String, organisations| {
        layout::rendered_again(&SignInPage {
            email: form.text("email").to_owned(),
            next: form.text("next").to_owned(),
            error: (!error.is_empty()).then_some(error),
            organisations,
            ..SignInPage::new(&console, &visit.csrf)
        })
    };
    let email: Email = match form.text("email").parse() {
        Ok(email) => email,
        Err(error) => return Ok(again(error.to_string(), Vec::new())),
    };
    let attempt = Attempt {
        email,
        password: Secret::new(form.raw("password")),
        organisation: form
            .filled("organisation")
            .and_then(|slug| slug.parse().ok()),
        knock: visit.knock.clone(),
    };
    match console.app.sign_in(attempt).await {
        Ok(SignIn::Begun(proof)) => Ok(onwards(&console, &proof, form.text("next"))),
        Ok(SignIn::Choose(organisations)) => {
            let organisations = organisations
                .into_iter()
                .map(|one| (one.slug.to_string(), one.name))
                .collect();
            Ok(again(String::new(), organisations))
        }
        Err(failure @ (Failure::Unauthenticated { .. } | Failure::TooMany { .. })) => {
            Ok(again(said(&failure), Vec::new()))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Says why somebody is not let in, as a sentence.
fn said(failure: &Failure) -> String {
    match failure {
        Failure::Unauthenticated { .. } => {
            "E-mail and password do not fit together. Look whether Caps Lock is on.".to_owned()
        }
        Failure::TooMany { seconds } => format!(
            "Too many wrong passwords came from here. Wait {seconds} seconds, then try again; in a browser in which you have signed in before you need not wait."
        ),
        other => other.to_string(),
    }
}

async fn look_at_code(State(_): State<Console>, known: Known, query: Form) -> Response {
    if known.visitor.session.stage != Stage::SecondFactor {
        return Redirect::to("/").into_response();
    }
    layout::rendered(&CodePage {
        bare: Bare::with_forms("Enter your code", &known.visit.csrf),
        next: query.text("next").to_owned(),
        error: None,
    })
}

async fn code(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let step = console
        .app
        .second_step(&known.visitor, form.text("code"), &known.visit.knock)
        .await;
    match step {
        Ok((proof, left)) => {
            let mut response = onwards(&console, &proof, form.text("next"));
            if let Some(left) = left {
                let text = format!(
                    "You used a recovery code; {left} are left. Make new ones below if you need them."
                );
                response = layout::done(&console, "/settings/security", &Flash::warn(text));
                console.keep(response.headers_mut(), &proof);
            }
            Ok(response)
        }
        Err(failure @ (Failure::Forbidden { .. } | Failure::TooMany { .. })) => {
            Ok(layout::rendered_again(&CodePage {
                bare: Bare::with_forms("Error: Enter your code", &known.visit.csrf),
                next: form.text("next").to_owned(),
                error: Some(sentence(&failure.to_string())),
            }))
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn sign_out(State(console): State<Console>, known: Known) -> Result<Response, Problem> {
    console.app.sign_out(&known.visitor).await?;
    let mut response = layout::done(&console, "/signin", &Flash::ok("You are signed out."));
    Cookie::Session.set(response.headers_mut(), console.is_secure(), None);
    Ok(response)
}

fn gone() -> Problem {
    Problem::refused(
        "this link was used already, or is too old: ask an owner of your organisation for a new one"
            .to_owned(),
    )
}

async fn look_at_link(
    State(console): State<Console>,
    visit: Visit,
    query: Form,
) -> Result<Response, Problem> {
    let token = Secret::new(query.text("token"));
    let Some((organisation, administrator)) = console.app.link_owner(&token).await? else {
        return Err(gone());
    };
    Ok(answered(&console, &visit, |csrf| {
        layout::rendered(&LinkPage {
            bare: Bare::with_forms("Choose a password", csrf),
            token: token.expose().to_owned(),
            organisation: organisation.name,
            email: administrator.email.as_str().to_owned(),
            name: administrator.name.unwrap_or_default(),
            first: administrator.signed_in.is_none(),
            mistakes: Mistakes::default(),
        })
    }))
}

async fn use_link(
    State(console): State<Console>,
    visit: Visit,
    form: Form,
) -> Result<Response, Problem> {
    let token = Secret::new(form.text("token"));
    let name = form
        .filled("name")
        .map(|name| name.chars().take(100).collect());
    let password = Secret::new(form.raw("password"));
    let used = console
        .app
        .use_link(&token, name, password, &visit.knock)
        .await;
    match used {
        Ok(proof) => Ok(onwards(&console, &proof, "")),
        Err(Failure::Unauthenticated { .. }) => Err(gone()),
        Err(Failure::Forbidden { reason }) => {
            let Some((organisation, administrator)) = console.app.link_owner(&token).await? else {
                return Err(gone());
            };
            Ok(layout::rendered_again(&LinkPage {
                bare: Bare::with_forms("Error: Choose a password", &visit.csrf),
                token: token.expose().to_owned(),
                organisation: organisation.name,
                email: administrator.email.as_str().to_owned(),
                name: form.text("name").to_owned(),
                first: administrator.signed_in.is_none(),
                mistakes: Mistakes::one("password", reason),
            }))
        }
        Err(failure) => Err(failure.into()),
    }
}

fn closed() -> Problem {
    Problem::refused(
        "this set-up link is not good any more: the server prints a new one each time it starts, as long as there is no organisation"
            .to_owned(),
    )
}

async fn look_at_set_up(
    State(console): State<Console>,
    visit: Visit,
    query: Form,
) -> Result<Response, Problem> {
    let code = Secret::new(query.text("code"));
    if !console.app.is_set_up_code(&code) {
        return Err(closed());
    }
    Ok(answered(&console, &visit, |csrf| {
        layout::rendered(&SetUpPage {
            bare: Bare::with_forms("Set up", csrf),
            base: console.app.settings().public_url.clone(),
            code: code.expose().to_owned(),
            ..SetUpPage::default()
        })
    }))
}

async fn set_up(
    State(console): State<Console>,
    visit: Visit,
    form: Form,
) -> Result<Response, Problem> {
    let code = Secret::new(form.text("code"));
    let mut mistakes = Mistakes::default();
    let name = form.text("name").to_owned();
    if name.is_empty() || name.chars().count() > 100 {
        mistakes.add(
            "name",
            "Give the organisation a name of at most 100 characters.",
        );
    }
    let slug: Result<Slug, _> = form.text("slug").parse();
    let email: Result<Email, _> = form.text("email").parse();
    if let Err(error) = &slug {
        mistakes.add("slug", error.to_string());
    }
    if let Err(error) = &email {
        mistakes.add("email", error.to_string());
    }
    if let (Ok(slug), Ok(email), true) = (slug, email, mistakes.is_empty()) {
        let owner = (email, Secret::new(form.raw("password")));
        match console
            .app
            .set_up(&code, slug, name, owner, &visit.knock)
            .await
        {
            Ok(proof) => {
                let to = "/settings/integrations/entra";
                let text = "Welcome. Connect the first directory: copy the URL, create a token, and enter both there.";
                let mut response = layout::done(&console, to, &Flash::ok(text));
                console.keep(response.headers_mut(), &proof);
                return Ok(response);
            }
            Err(Failure::Forbidden { reason }) => mistakes.add("password", reason),
            Err(Failure::Taken { .. }) => mistakes.add("slug", "This name is taken."),
            Err(Failure::Unauthenticated { .. }) => return Err(closed()),
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(layout::rendered_again(&SetUpPage {
        bare: Bare::with_forms("Error: Set up", &visit.csrf),
        base: console.app.settings().public_url.clone(),
        code: code.expose().to_owned(),
        name: form.text("name").to_owned(),
        slug: form.text("slug").to_owned(),
        email: form.text("email").to_owned(),
        mistakes,
    }))
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::HOSTILE;
    let sign_in = |error: Option<&str>, email: &str| SignInPage {
        bare: Bare::with_forms("Sign in", "token"),
        region: "eu".to_owned(),
        host: "eu.rollcall.example".to_owned(),
        regions: vec![("us".to_owned(), "https://us.rollcall.example".to_owned())],
        email: email.to_owned(),
        organisations: Vec::new(),
        next: String::new(),
        told: None,
        error: error.map(str::to_owned),
    };
    let choose = SignInPage {
        organisations: vec![
            ("alderbrook".to_owned(), "Alderbrook Logistics".to_owned()),
            ("hostile".to_owned(), HOSTILE.to_owned()),
        ],
        ..sign_in(None, "mira@alderbrook.example")
    };
    let code = |error: Option<&str>| CodePage {
        bare: Bare::with_forms("Enter your code", "token"),
        next: String::new(),
        error: error.map(str::to_owned),
    };
    let link = |name: &str, mistakes| LinkPage {
        bare: Bare::with_forms("Choose a password", "token"),
        token: "token".to_owned(),
        organisation: name.to_owned(),
        email: "mira@alderbrook.example".to_owned(),
        name: String::new(),
        first: true,
        mistakes,
    };
    let set_up = |mistakes| SetUpPage {
        base: "https://rollcall.example".to_owned(),
        mistakes,
        ..SetUpPage::default()
    };
    let short = || {
        Mistakes::one(
            "password",
            "a password has 12 to 128 characters, this one has 5",
        )
    };
    let rendered = |name: &str, page: Result<String, askama::Error>| {
        (name.to_owned(), page.unwrap_or_default())
    };
    vec![
        rendered("signin", sign_in(None, "").render()),
        rendered(
            "signin-wrong",
            sign_in(Some("E-mail and password do not fit together."), HOSTILE).render(),
        ),
        rendered("signin-choose", choose.render()),
        rendered("signin-code", code(None).render()),
        rendered(
            "signin-code-wrong",
            code(Some("this code was used already")).render(),
        ),
        rendered(
            "link",
            link("Alderbrook Logistics", Mistakes::default()).render(),
        ),
        rendered("link-short", link(HOSTILE, short()).render()),
        rendered("setup", set_up(Mistakes::default()).render()),
        rendered("setup-short", set_up(short()).render()),
    ]
}
