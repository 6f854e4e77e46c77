//! *Provisioning*: mode, address and credential with their test, notification, settings, status. One form, as in the guide.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::response::Response;
use rollcall_app::Failure;
use rollcall_app::applications::Connection;
use rollcall_engine::{NotTested, Step, Stepped};
use rollcall_model::application::{
    DriftCheck, Leaving, Mode, NestedGroups, Scope, Settings, Status,
};
use rollcall_model::{Application, ApplicationId, Email, Permission, Secret};

use super::{Head, Tab, parsed};
use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Mistakes, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::sentence;
use crate::words::{Moment, counted, people};

/// A longer token is cut off, and refused by the target.
const LONGEST_TOKEN: usize = 65_536;

pub(super) fn routes() -> Routes {
    vec![
        page(
            "/applications/{id}/provisioning",
            Needs::Role(Permission::Read),
            look,
        ),
        // the credential is in it
        action(
            "/applications/{id}/provisioning",
            Needs::Fresh(Permission::ManageProvisioning),
            save,
        ),
        action(
            "/applications/{id}/provisioning/test",
            Needs::Role(Permission::ManageProvisioning),
            test,
        ),
    ]
}

/// What the form holds.
#[expect(clippy::struct_excessive_bools, reason = "each is shown by itself")]
#[derive(Debug, Clone, Default)]
struct Fields {
    automatic: bool,
    url: String,
    email: String,
    notify: bool,
    all: bool,
    nested: String,
    leaving: String,
    limits: bool,
    max: String,
    percent: String,
    drift: String,
    repair: bool,
    on: bool,
}

impl Fields {
    fn of(application: &Application) -> Self {
        let settings = &application.settings;
        let text = |number: Option<u64>| number.map(|number| number.to_string());
        Self {
            automatic: application.mode == Mode::Automatic,
            url: application
                .target
                .as_ref()
                .map(|target| target.tenant_url.clone())
                .unwrap_or_default(),
            email: application
                .notification_email
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            notify: application.notify_on_failure,
            all: application.scope == Scope::All,
            nested: match settings.nested_groups {
                NestedGroups::Direct => "direct",
                NestedGroups::Keep => "keep",
                NestedGroups::Flatten => "flatten",
            }
            .to_owned(),
            leaving: match settings.leaving {
                Leaving::Disable => "disable",
                Leaving::Delete => "delete",
                Leaving::Unlink => "unlink",
            }
            .to_owned(),
            limits: settings.max_deletions.is_some() || settings.max_deletions_percent.is_some(),
            max: text(settings.max_deletions).unwrap_or_default(),
            percent: text(settings.max_deletions_percent.map(u64::from)).unwrap_or_default(),
            drift: settings
                .drift
                .map(|drift| drift.every_hours.to_string())
                .unwrap_or_default(),
            repair: settings.drift.is_some_and(|drift| drift.repair),
            on: application.status == Status::On,
        }
    }

    fn typed(form: &Form) -> Self {
        Self {
            automatic: form.text("mode") == "automatic",
            url: form.text("url").to_owned(),
            email: form.text("email").to_owned(),
            notify: form.has("notify"),
            all: form.text("scope") == "all",
            nested: form.text("nested").to_owned(),
            leaving: form.text("leaving").to_owned(),
            limits: form.text("limits") == "own",
            max: form.text("max").to_owned(),
            percent: form.text("percent").to_owned(),
            drift: form.text("drift").to_owned(),
            repair: form.has("repair"),
            on: form.text("status") == "on",
        }
    }

    /// Reads who is told; what is wrong is noted.
    fn address(&self, mistakes: &mut Mistakes) -> Option<Email> {
        if self.email.is_empty() {
            if self.notify {
                mistakes.add("email", "Enter an address, or do not send mail.");
            }
            return None;
        }
        match self.email.parse() {
            Ok(email) => Some(email),
            Err(error) => {
                mistakes.add("email", error.to_string());
                None
            }
        }
    }

    /// Reads the settings; what is wrong is noted.
    fn settings(&self, mistakes: &mut Mistakes) -> Settings {
        let mut settings = Settings {
            leaving: match self.leaving.as_str() {
                "delete" => Leaving::Delete,
                "unlink" => Leaving::Unlink,
                _ => Leaving::Disable,
            },
            nested_groups: match self.nested.as_str() {
                "keep" => NestedGroups::Keep,
                "flatten" => NestedGroups::Flatten,
                _ => NestedGroups::Direct,
            },
            ..Settings::default()
        };
        if self.limits {
            if !self.max.is_empty() {
                match self.max.parse() {
                    Ok(max) => settings.max_deletions = Some(max),
                    Err(_) => {
                        mistakes.add("max", "Enter a whole number: how many may leave in a day.");
                    }
                }
            }
            if !self.percent.is_empty() {
                match self.percent.parse() {
                    Ok(percent @ 0..=100) => settings.max_deletions_percent = Some(percent),
                    _ => mistakes.add("percent", "Enter a percentage from 0 to 100."),
                }
            }
            if self.max.is_empty() && self.percent.is_empty() {
                mistakes.add(
                    "max",
                    "Enter a number, a percentage, or choose the default limit.",
                );
            }
        }
        if !self.drift.is_empty() {
            match self.drift.parse() {
                Ok(every_hours @ 1..=8_760) => {
                    settings.drift = Some(DriftCheck {
                        every_hours,
                        repair: self.repair,
                    });
                }
                _ => mistakes.add(
                    "drift",
                    "Enter the hours between two comparisons, 1 or more, or nothing.",
                ),
            }
        }
        settings
    }
}

/// A step of the connection test.
#[derive(Debug)]
struct StepRow {
    icon: &'static str,
    tone: &'static str,
    word: &'static str,
    title: &'static str,
    seen: String,
    took: String,
}

#[derive(Debug)]
struct TestView {
    is_good: bool,
    title: String,
    text: String,
    steps: Vec<StepRow>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is shown by itself")]
#[derive(Debug, Template)]
#[template(path = "applications/provisioning.html")]
struct ProvisioningPage {
    frame: Frame,
    head: Head,
    may: bool,
    fields: Fields,
    token_set: Option<Moment>,
    has_token: bool,
    test: Option<TestView>,
    assigned: String,
    everybody: String,
    users: u64,
    users_on: bool,
    groups: u64,
    groups_on: bool,
    mistakes: Mistakes,
}

impl Console {
    async fn provisioning_page(
        &self,
        known: &Known,
        id: ApplicationId,
        fields: Option<Fields>,
        test: Option<TestView>,
        mistakes: Mistakes,
    ) -> Result<ProvisioningPage, Problem> {
        let context = known.visitor.context();
        let set_up = self.app.set_up_of(&context, id).await?;
        let (application, head) = self.application_head(known, id, Tab::Provisioning).await?;
        let title = if mistakes.is_empty() {
            format!("Provisioning · {}", head.name)
        } else {
            format!("Error: Provisioning · {}", head.name)
        };
        let frame = self.frame(known, Place::Applications, &title).await?;
        let zone = self.zone(known);
        Ok(ProvisioningPage {
            may: frame.may.provisioning && application.job_file.is_none(),
            fields: fields.unwrap_or_else(|| Fields::of(&application)),
            token_set: application
                .token_set
                .filter(|_| set_up.has_credential)
                .map(|at| zone.short(at)),
            has_token: set_up.has_credential,
            test,
            assigned: format!(
                "{} and {}",
                counted(set_up.assigned_groups, "group"),
                people(set_up.assigned_people)
            ),
            everybody: format!(
                "{} and {}",
                people(set_up.people),
                counted(set_up.groups, "group")
            ),
            users: application.users.attributes.len() as u64,
            users_on: application.users.enabled,
            groups: application.groups.attributes.len() as u64,
            groups_on: application.groups.enabled,
            frame,
            head,
            mistakes,
        })
    }
}

async fn look(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let page = console
        .provisioning_page(&known, id, None, None, Mistakes::default())
        .await?;
    Ok(layout::rendered(&page))
}

/// Reads the token, without the white space around it that copying brings along.
fn token(form: &Form, mistakes: &mut Mistakes) -> Option<Secret> {
    let text = form.text("token");
    if text.is_empty() {
        return None;
    }
    if text.len() > LONGEST_TOKEN || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        mistakes.add(
            "token",
            "This is not one token: it holds white space, or is too long. Copy the token alone.",
        );
        return None;
    }
    Some(Secret::new(text))
}

async fn save(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let application = console.changeable(&known, parsed(&id)?).await?;
    let id = application.id;
    let fields = Fields::typed(&form);
    let mut mistakes = Mistakes::default();
    let before = application
        .target
        .as_ref()
        .map(|target| target.tenant_url.clone());
    let token = token(&form, &mut mistakes);
    if fields.url.is_empty() {
        if before.is_some() || token.is_some() {
            mistakes.add(
                "url",
                "Enter the Tenant URL: the address of the SCIM endpoint.",
            );
        }
    } else if let Err(refused) = console.engine.address(&fields.url) {
        mistakes.add("url", refused.to_string());
    }
    let email = fields.address(&mut mistakes);
    let settings = fields.settings(&mut mistakes);
    if !mistakes.is_empty() {
        let page = console
            .provisioning_page(&known, id, Some(fields), None, mistakes)
            .await?;
        return Ok(layout::rendered_again(&page));
    }
    let is_elsewhere = before.is_some_and(|before| before != fields.url);
    let is_tokenless = is_elsewhere && token.is_none();
    let connection = (!fields.url.is_empty()).then(|| Connection {
        tenant_url: fields.url.clone(),
        token,
    });
    let chosen = fields.clone();
    let saved = console
        .app
        .save_provisioning(
            &known.visitor.context(),
            id,
            connection,
            move |application| {
                application.mode = if chosen.automatic {
                    Mode::Automatic
                } else {
                    Mode::Manual
                };
                application.status = if chosen.on { Status::On } else { Status::Off };
                application.scope = if chosen.all {
                    Scope::All
                } else {
                    Scope::AssignedOnly
                };
                application.notification_email = email;
                application.notify_on_failure = chosen.notify;
                application.settings = settings;
            },
        )
        .await;
    match saved {
        Ok(_) => {
            let text = match (is_tokenless, fields.automatic && fields.on) {
                (true, _) => {
                    "Saved. The address is another one, so the stored token was forgotten: enter the one for this address."
                }
                (false, true) => "Saved. The next cycle begins with these settings, now.",
                (false, false) => "Saved. Nothing is sent while provisioning is off.",
            };
            let to = format!("/applications/{id}/provisioning");
            Ok(layout::done(&console, &to, &Flash::ok(text)))
        }
        Err(Failure::Forbidden { .. }) => {
            let field = if fields.url.is_empty() {
                "url"
            } else {
                "token"
            };
            let mistakes = Mistakes::one(
                field,
                "Provisioning cannot be switched on without Tenant URL and Secret Token. Enter both, or leave it off.",
            );
            let page = console
                .provisioning_page(&known, id, Some(fields), None, mistakes)
                .await?;
            Ok(layout::rendered_again(&page))
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn test(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let application = console.changeable(&known, parsed(&id)?).await?;
    let id = application.id;
    let fields = Fields::typed(&form);
    let mut mistakes = Mistakes::default();
    let token = token(&form, &mut mistakes);
    if fields.url.is_empty() {
        mistakes.add(
            "url",
            "Enter the Tenant URL: the address of the SCIM endpoint.",
        );
    }
    let mut view = None;
    if mistakes.is_empty() {
        let is_typed = token.is_some();
        let context = known.visitor.context();
        match console
            .engine
            .examine(&context, id, &fields.url, token)
            .await
        {
            Ok(steps) => view = Some(tested(&application.name, &steps, is_typed)),
            Err(NotTested::Address(refused)) => {
                mistakes.add("url", refused.to_string());
            }
            Err(error @ NotTested::NoCredential) => {
                mistakes.add("token", error.to_string());
            }
            Err(NotTested::Failed(error)) => return Err(failed(error)),
        }
    }
    if let Some(first) = mistakes.0.first() {
        view = Some(TestView {
            is_good: false,
            title: "The connection was not tested".to_owned(),
            text: first.text.clone(),
            steps: Vec::new(),
        });
    }
    let has_failed = !mistakes.is_empty();
    let page = console
        .provisioning_page(&known, id, Some(fields), view, mistakes)
        .await?;
    Ok(if has_failed {
        layout::rendered_again(&page)
    } else {
        layout::rendered(&page)
    })
}

/// Makes a problem of an engine's error.
pub(super) fn failed(error: rollcall_engine::Error) -> Problem {
    match error {
        rollcall_engine::Error::Failed(failure) => failure.into(),
        other => Problem::refused(other.to_string()),
    }
}

fn title(step: Step) -> &'static str {
    match step {
        Step::Reach => "Reach",
        Step::Encrypt => "Encrypt",
        Step::SignIn => "Sign in",
        Step::Speak => "Speak SCIM",
        Step::Search => "Search",
    }
}

fn tested(name: &str, steps: &[Stepped], is_typed: bool) -> TestView {
    let failed = steps.iter().find_map(|one| {
        let why = one.seen.as_ref().err()?;
        Some((one.step, why))
    });
    let rows = Step::ALL.into_iter().map(|step| {
        let done = steps.iter().find(|one| one.step == step);
        let (icon, tone, word, seen) = match done.map(|one| &one.seen) {
            // it may begin with the name of a host
            Some(Ok(seen)) => ("okc", "ok", "Passed", seen.clone()),
            Some(Err(why)) => ("xc", "bad", "Failed", sentence(why)),
            None => ("dashc", "muted", "Not tried", "Not tried".to_owned()),
        };
        StepRow {
            icon,
            tone,
            word,
            title: title(step),
            seen,
            took: done.map(|one| took(one.took)).unwrap_or_default(),
        }
    });
    let (title, text) = match failed {
        None if is_typed => (
            format!("{name} answered. Save to keep these credentials."),
            String::new(),
        ),
        None => (
            format!("{name} answered, with the stored token."),
            String::new(),
        ),
        Some((step, why)) => (
            match step {
                Step::Reach => format!("{name} cannot be reached"),
                Step::Encrypt => format!("There is no safe connection to {name}"),
                Step::SignIn => format!("{name} does not accept the token"),
                Step::Speak => format!("{name} does not speak SCIM at this address"),
                Step::Search => format!("{name} does not search as SCIM demands"),
            },
            sentence(why),
        ),
    };
    TestView {
        is_good: failed.is_none(),
        title,
        text,
        steps: rows.collect(),
    }
}

fn took(took: Duration) -> String {
    format!("{} ms", took.as_millis())
}

#[cfg(any(test, feature = "samples"))]
#[expect(clippy::too_many_lines, reason = "a sample for each case")]
pub(super) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::{HOSTILE, frame};

    let zone = super::sample::zone();
    let fields = |url: &str| Fields {
        automatic: true,
        url: url.to_owned(),
        email: "it-platforms@alderbrook.example".to_owned(),
        notify: true,
        nested: "direct".to_owned(),
        leaving: "disable".to_owned(),
        limits: true,
        max: "50".to_owned(),
        on: true,
        ..Fields::default()
    };
    let page = |name: &str, fields: Fields, test, mistakes| ProvisioningPage {
        frame: frame(Place::Applications, "Provisioning"),
        head: super::sample::head(name, Tab::Provisioning, ("ok", "okc", "Provisioning on")),
        may: true,
        fields,
        token_set: Some(zone.short(zone.now())),
        has_token: true,
        test,
        assigned: "12 groups and 3 people".to_owned(),
        everybody: "104,318 people and 1,862 groups".to_owned(),
        users: 11,
        users_on: true,
        groups: 3,
        groups_on: false,
        mistakes,
    };
    let stepped = |step, seen: Result<&str, &str>| Stepped {
        step,
        seen: seen.map(str::to_owned).map_err(str::to_owned),
        took: Duration::from_millis(31),
    };
    let good = [
        stepped(
            Step::Reach,
            Ok("scim.keyhaven.example is 203.0.113.40, and takes connections at port 443"),
        ),
        stepped(
            Step::Encrypt,
            Ok("TLS, and a certificate that is valid for this name"),
        ),
        stepped(Step::SignIn, Ok("the token is accepted")),
        stepped(Step::Speak, Ok("SCIM 2.0 with PATCH, filter, without bulk")),
        stepped(
            Step::Search,
            Ok("asked for a `userName` that nobody has, and got an empty list"),
        ),
    ];
    let bad = [
        stepped(
            Step::Reach,
            Ok("api.meridian.example is 203.0.113.77, and takes connections at port 443"),
        ),
        stepped(
            Step::Encrypt,
            Ok("TLS, and a certificate that is valid for this name"),
        ),
        stepped(Step::SignIn, Err(HOSTILE)),
    ];
    let mut wrong = Mistakes::one(
        "url",
        "`x` is not a URL: it looks like `https://app.example.com/scim/v2`.",
    );
    wrong.add(
        "token",
        "This is not one token: it holds white space, or is too long. Copy the token alone.",
    );
    wrong.add("email", "`x` is not an e-mail address.");
    wrong.add("max", "Enter a whole number: how many may leave in a day.");
    wrong.add("percent", "Enter a percentage from 0 to 100.");
    wrong.add(
        "drift",
        "Enter the hours between two comparisons, 1 or more, or nothing.",
    );
    let fresh = {
        let mut fresh = page(
            "Farewell Expenses",
            Fields {
                nested: "direct".to_owned(),
                leaving: "disable".to_owned(),
                ..Fields::default()
            },
            None,
            Mistakes::default(),
        );
        fresh.has_token = false;
        fresh.token_set = None;
        fresh
    };
    let mut of_file = page(
        "Depot",
        fields("https://depot.example/scim"),
        None,
        Mistakes::default(),
    );
    of_file.may = false;
    of_file.head.job_file = Some("/etc/rollcall/depot.toml".to_owned());
    let address = "https://scim.keyhaven.example/v2/alderbrook";
    [
        (
            "provisioning",
            page(
                "Keyhaven",
                fields(address),
                Some(tested("Keyhaven", &good, true)),
                Mistakes::default(),
            ),
        ),
        (
            "provisioning-failed",
            page(
                HOSTILE,
                fields(address),
                Some(tested("Meridian", &bad, false)),
                Mistakes::default(),
            ),
        ),
        ("provisioning-fresh", fresh),
        ("provisioning-file", of_file),
        (
            "provisioning-mistakes",
            page("Keyhaven", fields(HOSTILE), None, wrong),
        ),
    ]
    .into_iter()
    .map(|(name, page)| (name.to_owned(), page.render().unwrap_or_default()))
    .collect()
}
