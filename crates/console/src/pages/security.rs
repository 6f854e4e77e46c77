//! Administrators, and what concerns the visitor alone: sessions, second factor, password.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use qrcodegen::{QrCode, QrCodeEcc};
use rollcall_app::Failure;
use rollcall_app::administrators::Handed;
use rollcall_app::sign_in::{Enrolment, Proof};
use rollcall_model::{AdminId, Permission, Role, Rules, Secret, Session, SessionId, Stage};

use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Bare, Flash, Frame, Mistakes, Place};
use crate::pages::api_keys::{self, FreshKey, KeyRow};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::{Moment, Zone, initials, sentence};

pub(crate) fn routes() -> Routes {
    let administrators = Needs::Fresh(Permission::ManageAdministrators);
    let own = Needs::Fresh(Permission::Read);
    vec![
        page("/settings/security", Needs::Role(Permission::Read), look),
        action("/settings/security/invite", administrators, invite),
        action("/settings/security/rules", administrators, save_rules),
        page(
            "/settings/security/administrators/{id}",
            Needs::Role(Permission::ManageAdministrators),
            look_at_one,
        ),
        action(
            "/settings/security/administrators/{id}/role",
            administrators,
            change_role,
        ),
        action(
            "/settings/security/administrators/{id}/reset",
            administrators,
            reset,
        ),
        action(
            "/settings/security/administrators/{id}/second-factor/remove",
            administrators,
            remove_factor,
        ),
        action(
            "/settings/security/administrators/{id}/remove",
            administrators,
            remove,
        ),
        action("/me/name", Needs::Session, rename),
        action("/me/password", own, change_password),
        action("/me/sessions/end-others", Needs::Session, end_others),
        action("/me/sessions/{id}/end", Needs::Session, end),
        page("/signin/enrol", Needs::Begun, look_at_enrolment),
        action("/me/second-factor", own, begin_factor),
        action("/me/second-factor/confirm", Needs::Begun, confirm_factor),
        action("/me/second-factor/remove", own, remove_own_factor),
        action("/me/recovery-codes", own, renew_codes),
    ]
}

#[derive(Debug)]
struct AdministratorRow {
    id: String,
    name: String,
    initials: String,
    email: String,
    role: &'static str,
    second_factor: bool,
    signed_in: Option<Moment>,
    is_me: bool,
}

#[derive(Debug)]
struct SessionRow {
    id: String,
    device: String,
    address: String,
    seen: Moment,
    is_this: bool,
}

#[derive(Debug, Template)]
#[template(path = "security.html")]
struct SecurityPage {
    frame: Frame,
    administrators: Vec<AdministratorRow>,
    sessions: Vec<SessionRow>,
    me: String,
    second_factor: bool,
    recovery_codes: u64,
    rules: Rules,
    /// How many administrators have no second factor.
    without_factor: usize,
    invited: String,
    keys: Vec<KeyRow>,
    /// What a key was to be called that was not made.
    key: String,
    /// A key that was just made, to be shown this once.
    fresh: Option<FreshKey>,
    mistakes: Mistakes,
}

/// What was typed into the page, or was made by it.
#[derive(Debug, Default)]
pub(crate) struct Typed<'a> {
    /// The address of whoever was to be invited.
    pub(crate) invited: &'a str,
    /// The name of a key.
    pub(crate) key: &'a str,
    /// A key that was made.
    pub(crate) fresh: Option<FreshKey>,
}

#[derive(Debug, Template)]
#[template(path = "administrator.html")]
struct AdministratorPage {
    frame: Frame,
    row: AdministratorRow,
    roles: Vec<(&'static str, &'static str, bool)>,
}

#[derive(Debug, Template)]
#[template(path = "handed_link.html")]
struct LinkMade {
    frame: Frame,
    email: String,
    link: String,
}

#[derive(Debug, Template)]
#[template(path = "enrol.html")]
struct EnrolPage {
    bare: Bare,
    organisation: String,
    required: bool,
    sealed: String,
    typed: String,
    qr_size: i32,
    qr_path: String,
    error: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "recovery_codes.html")]
struct CodesPage {
    bare: Bare,
    codes: Vec<String>,
}

impl Console {
    /// Renders the page; with mistakes, as the answer to a form that was not saved.
    pub(crate) async fn security(
        &self,
        known: &Known,
        typed: Typed<'_>,
        mistakes: Mistakes,
    ) -> Result<Response, Problem> {
        let is_again = !mistakes.is_empty();
        let page = self.security_page(known, typed, mistakes).await?;
        Ok(if is_again {
            layout::rendered_again(&page)
        } else {
            layout::rendered(&page)
        })
    }

    async fn security_page(
        &self,
        known: &Known,
        typed: Typed<'_>,
        mistakes: Mistakes,
    ) -> Result<SecurityPage, Problem> {
        let title = if mistakes.is_empty() {
            "Admins and security"
        } else {
            "Error: Admins and security"
        };
        let frame = self.frame(known, Place::Security, title).await?;
        let zone = self.zone(known);
        let visitor = &known.visitor;
        let standing = self.app.administrators_standing(visitor).await?;
        let sessions = self.app.own_sessions(visitor).await?;
        let me = visitor.administrator.id;
        let own = standing.iter().find(|one| one.administrator.id == me);
        let (second_factor, recovery_codes) =
            own.map_or((false, 0), |one| (one.second_factor, one.recovery_codes));
        Ok(SecurityPage {
            without_factor: standing.iter().filter(|one| !one.second_factor).count(),
            administrators: standing.iter().map(|one| row(one, me, &zone)).collect(),
            sessions: sessions
                .iter()
                .map(|session| session_row(session, visitor.session.id, &zone))
                .collect(),
            me: visitor.administrator.name.clone().unwrap_or_default(),
            second_factor,
            recovery_codes,
            rules: visitor.organisation.rules,
            invited: typed.invited.to_owned(),
            keys: api_keys::rows(self, known, &zone).await?,
            key: typed.key.to_owned(),
            fresh: typed.fresh,
            mistakes,
            frame,
        })
    }
}

fn row(
    standing: &rollcall_app::administrators::Standing,
    me: AdminId,
    zone: &Zone,
) -> AdministratorRow {
    let administrator = &standing.administrator;
    AdministratorRow {
        id: administrator.id.to_string(),
        name: administrator.title().to_owned(),
        initials: initials(administrator.title()),
        email: administrator.email.as_str().to_owned(),
        role: administrator.role.title(),
        second_factor: standing.second_factor,
        signed_in: administrator.signed_in.map(|at| zone.short(at)),
        is_me: administrator.id == me,
    }
}

fn session_row(session: &Session, this: SessionId, zone: &Zone) -> SessionRow {
    SessionRow {
        id: session.id.to_string(),
        device: device(session.agent.as_deref().unwrap_or_default()),
        address: session.address.clone().unwrap_or_default(),
        seen: zone.short(session.seen),
        is_this: session.id == this,
    }
}

/// Names a browser and its system, as far as its own words tell.
fn device(agent: &str) -> String {
    let first = |names: &[(&str, &'static str)]| {
        names
            .iter()
            .find(|(mark, _)| agent.contains(mark))
            .map(|(_, name)| *name)
    };
    let browser = first(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) if agent.is_empty() => "An unnamed browser".to_owned(),
        (None, None) => agent.chars().take(40).collect(),
    }
}

fn parsed<T: std::str::FromStr>(id: &str) -> Result<T, Problem> {
    id.parse().map_err(|_| Problem::missing())
}

async fn look(State(console): State<Console>, known: Known) -> Result<Response, Problem> {
    console
        .security(&known, Typed::default(), Mistakes::default())
        .await
}

async fn invite(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let typed = form.text("email");
    let again = async |text: String| {
        let mistakes = Mistakes::one("email", text);
        let typed = Typed {
            invited: typed,
            ..Typed::default()
        };
        console.security(&known, typed, mistakes).await
    };
    let email: rollcall_model::Email = match typed.parse() {
        Ok(email) => email,
        Err(error) => return again(sentence(&error.to_string())).await,
    };
    let Ok(role) = form.text("role").parse::<Role>() else {
        return again("Choose a role.".to_owned()).await;
    };
    let invited = console
        .app
        .invite_administrator(&known.visitor, email, role)
        .await;
    match invited {
        Ok((administrator, handed)) => {
            made(&console, &known, administrator.email.as_str(), handed).await
        }
        Err(Failure::Taken { .. }) => {
            again("There is an administrator with this address.".to_owned()).await
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Shows a link that was made, once: the answer to the form itself, so that loading it again does not show it again.
async fn made(
    console: &Console,
    known: &Known,
    email: &str,
    handed: Handed,
) -> Result<Response, Problem> {
    let Handed::Link(link) = handed else {
        return Err(Problem::internal("an invitation without a link"));
    };
    let frame = console
        .frame(known, Place::Security, "Sign-in link")
        .await?;
    Ok(layout::rendered(&LinkMade {
        frame,
        email: email.to_owned(),
        link: link.expose().to_owned(),
    }))
}

async fn save_rules(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let Ok(idle_minutes @ (15 | 30 | 60 | 240 | 480)) = form.text("idle").parse() else {
        return Err(Problem::refused("choose one of the times".to_owned()));
    };
    let rules = Rules {
        second_factor: form.has("second_factor"),
        idle_minutes,
    };
    console.app.change_rules(&known.visitor, rules).await?;
    let flash = Flash::ok("Saved. The rules hold from the next sign-in and the next request on.");
    Ok(layout::done(&console, "/settings/security", &flash))
}

async fn look_at_one(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: AdminId = parsed(&id)?;
    let standing = console.app.administrators_standing(&known.visitor).await?;
    let one = standing
        .iter()
        .find(|one| one.administrator.id == id)
        .ok_or_else(Problem::missing)?;
    let title = one.administrator.title().to_owned();
    let frame = console.frame(&known, Place::Security, &title).await?;
    let zone = console.zone(&known);
    Ok(layout::rendered(&AdministratorPage {
        row: row(one, known.visitor.administrator.id, &zone),
        roles: Role::ALL
            .into_iter()
            .map(|role| (role.word(), role.title(), role == one.administrator.role))
            .collect(),
        frame,
    }))
}

async fn change_role(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let role: Role = form.text("role").parse().map_err(
        |error: rollcall_model::administrator::UnknownRole| Problem::refused(error.to_string()),
    )?;
    console
        .app
        .change_role(&known.visitor, parsed(&id)?, role)
        .await?;
    let flash = Flash::ok("Saved. The role holds from the next request on.");
    Ok(layout::done(&console, "/settings/security", &flash))
}

async fn reset(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: AdminId = parsed(&id)?;
    let administrators = console
        .app
        .administrators(known.visitor.organisation.id)
        .await?;
    let one = administrators
        .into_iter()
        .find(|one| one.id == id)
        .ok_or_else(Problem::missing)?;
    let way = rollcall_app::administrators::WayIn::Link;
    let origin = known.visitor.origin();
    let handed = console
        .app
        .reset_administrator(
            known.visitor.organisation.id,
            one.email.clone(),
            way,
            origin,
        )
        .await?;
    made(&console, &known, one.email.as_str(), handed).await
}

async fn remove_factor(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    console
        .app
        .remove_second_factor(&known.visitor, parsed(&id)?)
        .await?;
    let flash = Flash::ok("The second factor is removed, and the sessions of its owner are ended.");
    Ok(layout::done(&console, "/settings/security", &flash))
}

async fn remove(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    console
        .app
        .remove_administrator(&known.visitor, parsed(&id)?)
        .await?;
    let flash = Flash::ok("The administrator is removed, and cannot sign in any more.");
    Ok(layout::done(&console, "/settings/security", &flash))
}

async fn rename(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let name = form.filled("name");
    let name = name.map(|name| name.chars().take(100).collect());
    console.app.rename_self(&known.visitor, name).await?;
    Ok(layout::done(
        &console,
        "/settings/security",
        &Flash::ok("Saved."),
    ))
}

/// Puts a renewed session into an answer.
fn with_session(console: &Console, mut response: Response, proof: &Proof) -> Response {
    console.keep(response.headers_mut(), proof);
    response
}

async fn change_password(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let password = Secret::new(form.raw("new_password"));
    match console.app.change_password(&known.visitor, password).await {
        Ok(proof) => {
            let flash = Flash::ok("The password is changed, and your other sessions are ended.");
            let response = layout::done(&console, "/settings/security", &flash);
            Ok(with_session(&console, response, &proof))
        }
        Err(Failure::Forbidden { reason }) => {
            let mistakes = Mistakes::one("new_password", reason);
            console.security(&known, Typed::default(), mistakes).await
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn end_others(State(console): State<Console>, known: Known) -> Result<Response, Problem> {
    console.app.end_other_sessions(&known.visitor).await?;
    let flash = Flash::ok("You are signed out everywhere else.");
    Ok(layout::done(&console, "/settings/security", &flash))
}

async fn end(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    console
        .app
        .end_session(&known.visitor, parsed(&id)?)
        .await?;
    let flash = Flash::ok("The session is ended.");
    Ok(layout::done(&console, "/settings/security", &flash))
}

async fn look_at_enrolment(
    State(console): State<Console>,
    known: Known,
) -> Result<Response, Problem> {
    if known.visitor.session.stage != Stage::Enrolment {
        return Ok(Redirect::to("/settings/security").into_response());
    }
    let enrolment = console.app.begin_enrolment(&known.visitor)?;
    Ok(layout::rendered(&enrol_page(&known, &enrolment, None)?))
}

async fn begin_factor(State(console): State<Console>, known: Known) -> Result<Response, Problem> {
    let enrolment = console.app.begin_enrolment(&known.visitor)?;
    Ok(layout::rendered(&enrol_page(&known, &enrolment, None)?))
}

fn enrol_page(
    known: &Known,
    enrolment: &Enrolment,
    error: Option<String>,
) -> Result<EnrolPage, Problem> {
    let (qr_size, qr_path) = drawn(enrolment.address.expose())?;
    Ok(EnrolPage {
        bare: Bare::with_forms("Set up a second factor", &known.visit.csrf),
        organisation: known.visitor.organisation.name.clone(),
        required: known.visitor.session.stage == Stage::Enrolment,
        sealed: enrolment.sealed.clone(),
        typed: enrolment.typed.expose().to_owned(),
        qr_size,
        qr_path,
        error,
    })
}

/// Draws a text as a QR code: its width in modules, with the quiet zone, and an SVG path of the dark ones.
fn drawn(text: &str) -> Result<(i32, String), Problem> {
    const QUIET: i32 = 4;
    let code = QrCode::encode_text(text, QrCodeEcc::Medium)
        .map_err(|_| Problem::internal("a secret that does not fit into a QR code"))?;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in 0..code.size() {
            if code.get_module(x, y) {
                let (x, y) = ((x + QUIET).to_string(), (y + QUIET).to_string());
                path.extend(["M", &x, " ", &y, "h1v1h-1z"]);
            }
        }
    }
    Ok((code.size() + 2 * QUIET, path))
}

async fn confirm_factor(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let sealed = form.raw("sealed");
    // a first factor alone must not replace the second one
    let may = match known.visitor.session.stage {
        Stage::Enrolment => true,
        Stage::Full => known.visitor.session.is_fresh(console.app.now()),
        Stage::SecondFactor => false,
    };
    if !may {
        return Err(Problem::refused(
            "your proof of identity is older than five minutes: begin again".to_owned(),
        ));
    }
    let finished = console
        .app
        .finish_enrolment(&known.visitor, sealed, form.text("code"))
        .await;
    match finished {
        Ok((codes, proof)) => Ok(with_session(&console, codes_page(&codes), &proof)),
        Err(Failure::Forbidden { reason }) => {
            let enrolment = console.app.resume_enrolment(&known.visitor, sealed)?;
            let page = enrol_page(&known, &enrolment, Some(reason))?;
            Ok(layout::rendered_again(&page))
        }
        Err(failure) => Err(failure.into()),
    }
}

fn codes_page(codes: &[Secret]) -> Response {
    layout::rendered(&CodesPage {
        bare: Bare::new("Recovery codes"),
        codes: codes.iter().map(|code| code.expose().to_owned()).collect(),
    })
}

async fn remove_own_factor(
    State(console): State<Console>,
    known: Known,
) -> Result<Response, Problem> {
    if known.visitor.organisation.rules.second_factor {
        return Err(Problem::refused(format!(
            "{} asks every administrator for a second factor: set up a new one in its place",
            known.visitor.organisation.name
        )));
    }
    let id = known.visitor.administrator.id;
    console.app.remove_second_factor(&known.visitor, id).await?;
    let flash = Flash::warn("The second factor is off: your password alone lets you in.");
    Ok(layout::done(&console, "/settings/security", &flash))
}

async fn renew_codes(State(console): State<Console>, known: Known) -> Result<Response, Problem> {
    let codes = console.app.renew_recovery_codes(&known.visitor).await?;
    Ok(codes_page(&codes))
}

#[cfg(any(test, feature = "samples"))]
#[expect(clippy::too_many_lines, reason = "samples are data")]
pub(crate) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::{HOSTILE, frame};
    let moment = || Moment {
        iso: "2025-11-18T12:05:00Z".to_owned(),
        text: "Today 13:05".to_owned(),
    };
    let administrator = |name: &str, second_factor: bool, is_me: bool| AdministratorRow {
        id: "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77".to_owned(),
        name: name.to_owned(),
        initials: initials(name),
        email: "someone@alderbrook.example".to_owned(),
        role: "Administrator",
        second_factor,
        signed_in: second_factor.then(moment),
        is_me,
    };
    let security = |names: &[&str], mistakes: Mistakes| SecurityPage {
        frame: frame(Place::Security, "Admins and security"),
        administrators: names
            .iter()
            .enumerate()
            .map(|(place, name)| administrator(name, place % 2 == 0, place == 0))
            .collect(),
        sessions: vec![SessionRow {
            id: "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e78".to_owned(),
            device: "Firefox on Windows".to_owned(),
            address: "192.0.2.7".to_owned(),
            seen: moment(),
            is_this: true,
        }],
        me: String::new(),
        second_factor: mistakes.is_empty(),
        recovery_codes: 9,
        rules: Rules::default(),
        without_factor: 1,
        invited: String::new(),
        keys: api_keys::sample_rows(names.len()),
        key: String::new(),
        fresh: (names.len() > 1).then(api_keys::sample_fresh),
        mistakes,
    };
    let (qr_size, qr_path) =
        drawn("otpauth://totp/sample?secret=JBSWY3DPEHPK3PXP").unwrap_or_default();
    let enrol = |error: Option<&str>| EnrolPage {
        bare: Bare::with_forms("Set up a second factor", "token"),
        organisation: HOSTILE.to_owned(),
        required: error.is_some(),
        sealed: "sealed".to_owned(),
        typed: "JBSW Y3DP EHPK 3PXP".to_owned(),
        qr_size,
        qr_path: qr_path.clone(),
        error: error.map(str::to_owned),
    };
    let many: Vec<&str> = std::iter::repeat_n("Tobias Adeyemi", 30)
        .chain([HOSTILE])
        .collect();
    let rendered = |name: &str, page: Result<String, askama::Error>| {
        (name.to_owned(), page.unwrap_or_default())
    };
    vec![
        rendered(
            "security-one",
            security(&["Mira Castellan"], Mistakes::default()).render(),
        ),
        rendered(
            "security-many",
            security(&many, Mistakes::default()).render(),
        ),
        rendered(
            "security-mistake",
            security(
                &["Mira Castellan"],
                Mistakes::one("email", "`x` is not an e-mail address."),
            )
            .render(),
        ),
        rendered(
            "security-key-mistake",
            security(
                &["Mira Castellan"],
                Mistakes::one("key_name", "A key is called something."),
            )
            .render(),
        ),
        api_keys::sample_revoke(),
        rendered(
            "administrator",
            AdministratorPage {
                frame: frame(Place::Security, "Administrator"),
                row: administrator(HOSTILE, true, false),
                roles: Role::ALL
                    .into_iter()
                    .map(|role| (role.word(), role.title(), role == Role::Admin))
                    .collect(),
            }
            .render(),
        ),
        rendered(
            "link-made",
            LinkMade {
                frame: frame(Place::Security, "Sign-in link"),
                email: "grace@alderbrook.example".to_owned(),
                link: "https://rollcall.example/signin/link?token=…".to_owned(),
            }
            .render(),
        ),
        rendered("enrol", enrol(None).render()),
        rendered("enrol-wrong", enrol(Some("the code is not right")).render()),
        rendered(
            "recovery-codes",
            CodesPage {
                bare: Bare::new("Recovery codes"),
                codes: vec!["abcde-fghjk".to_owned(); 10],
            }
            .render(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_named_by_what_people_call_it() {
        for (agent, name) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0",
                "Firefox on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.5", "curl"),
            ("", "An unnamed browser"),
        ] {
            assert_eq!(device(agent), name);
        }
    }
}
