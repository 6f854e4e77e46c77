//! What pages share: the frame with its navigation, messages, and how a page becomes an answer.

use askama::Template;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
};
use http::{HeaderName, HeaderValue, StatusCode};
use rollcall_model::Permission;
use subtle::ConstantTimeEq;

use crate::Console;
use crate::assets::{SCRIPT_NAME, STYLE_NAME};
use crate::cookies::Cookie;
use crate::guard::Known;
use crate::problem::Problem;
use crate::words::{Zone, initials, sentence};

/// What a page may load and do: its own style, script and pictures, and forms to this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The head of a page outside the frame: sign-in, problems.
#[derive(Debug, Clone)]
pub(crate) struct Bare {
    pub(crate) title: String,
    pub(crate) style: &'static str,
    pub(crate) script: &'static str,
    /// The token that forms carry; empty where there is none.
    pub(crate) csrf: String,
}

impl Bare {
    pub(crate) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            style: &STYLE_NAME,
            script: &SCRIPT_NAME,
            csrf: String::new(),
        }
    }

    pub(crate) fn with_forms(title: &str, csrf: &str) -> Self {
        Self {
            csrf: csrf.to_owned(),
            ..Self::new(title)
        }
    }
}

/// Where a page is in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Dashboard,
    Users,
    Groups,
    Applications,
    Logs,
    Activity,
    Requests,
    Reports,
    Integrations,
    Webhooks,
    Security,
    Organisation,
}

/// The frame of a page: who looks, where they are, what waits for them.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) style: &'static str,
    pub(crate) script: &'static str,
    pub(crate) csrf: String,
    /// Marks the forms of this page, so that one that is sent twice is carried out once.
    pub(crate) once: String,
    pub(crate) place: Place,
    pub(crate) organisation: String,
    pub(crate) region: String,
    pub(crate) me: String,
    pub(crate) me_initials: String,
    pub(crate) role: &'static str,
    /// What the visitor's role allows: what it does not is not offered.
    pub(crate) may: May,
    pub(crate) flash: Option<Flash>,
    /// How many decisions wait at the applications.
    pub(crate) applications_waiting: u64,
    /// How many decisions wait at the directory integrations.
    pub(crate) integrations_waiting: u64,
}

/// What a visitor's role allows.
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each permission, for templates"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct May {
    pub(crate) people: bool,
    pub(crate) provisioning: bool,
    pub(crate) administrators: bool,
    pub(crate) organisation: bool,
}

impl Frame {
    /// Tells whether this is the current place: the words that mark it in the navigation.
    pub(crate) fn at(&self, place: Place) -> &'static str {
        if self.place == place {
            " aria-current=page"
        } else {
            ""
        }
    }
}

impl Console {
    /// Makes the frame of a page.
    pub(crate) async fn frame(
        &self,
        known: &Known,
        place: Place,
        title: &str,
    ) -> Result<Frame, Problem> {
        let visitor = &known.visitor;
        let waiting = crate::pages::dashboard::waiting(self, known).await?;
        let role = visitor.administrator.role;
        let mut once = [0; 12];
        self.app.randomness().fill(&mut once);
        Ok(Frame {
            title: title.to_owned(),
            style: &STYLE_NAME,
            script: &SCRIPT_NAME,
            csrf: known.visit.csrf.clone(),
            once: URL_SAFE_NO_PAD.encode(once),
            place,
            organisation: visitor.organisation.name.clone(),
            region: visitor.organisation.region.to_string(),
            me: visitor.administrator.title().to_owned(),
            me_initials: initials(visitor.administrator.title()),
            role: role.title(),
            may: May {
                people: role.may(Permission::ManagePeople),
                provisioning: role.may(Permission::ManageProvisioning),
                administrators: role.may(Permission::ManageAdministrators),
                organisation: role.may(Permission::ManageOrganisation),
            },
            flash: known.visit.flash.clone(),
            applications_waiting: waiting.applications,
            integrations_waiting: waiting.integrations,
        })
    }

    /// Returns how this visitor's organisation writes times.
    pub(crate) fn zone(&self, known: &Known) -> Zone {
        Zone::new(
            known.visitor.organisation.time_zone.as_deref(),
            self.app.now(),
        )
    }
}

/// How a message looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Ok,
    Info,
    Warn,
    Bad,
}

impl Tone {
    /// Returns the class of a box of this tone.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Ok => "is-ok",
            Self::Info => "",
            Self::Warn => "is-warn",
            Self::Bad => "is-bad",
        }
    }

    /// Returns the icon that goes with it.
    pub(crate) fn icon(self) -> &'static str {
        match self {
            Self::Ok => "okc",
            Self::Info => "info",
            Self::Warn => "alert",
            Self::Bad => "xc",
        }
    }
}

/// The result of an action, shown once on the page after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flash {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

impl Flash {
    pub(crate) fn ok(text: impl Into<String>) -> Self {
        Self {
            tone: Tone::Ok,
            text: text.into(),
        }
    }

    pub(crate) fn warn(text: impl Into<String>) -> Self {
        Self {
            tone: Tone::Warn,
            text: text.into(),
        }
    }

    fn sealed(&self, console: &Console) -> String {
        let tone = match self.tone {
            Tone::Ok => 'o',
            Tone::Info => 'i',
            Tone::Warn => 'w',
            Tone::Bad => 'b',
        };
        let text = URL_SAFE_NO_PAD.encode(format!("{tone}{}", self.text));
        let mark = console
            .app
            .sealer()
            .mark(format!("flash {text}").as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(mark))
    }

    /// Reads a message that this installation wrote; another one is none.
    pub(crate) fn opened(console: &Console, cookie: &rollcall_model::Secret) -> Option<Self> {
        let (text, mark) = cookie.expose().split_once('.')?;
        let expected = console
            .app
            .sealer()
            .mark(format!("flash {text}").as_bytes());
        let expected = URL_SAFE_NO_PAD.encode(expected);
        let is_ours: bool = expected.as_bytes().ct_eq(mark.as_bytes()).into();
        if !is_ours {
            return None;
        }
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut letters = text.chars();
        let tone = match letters.next()? {
            'o' => Tone::Ok,
            'w' => Tone::Warn,
            'b' => Tone::Bad,
            _ => Tone::Info,
        };
        Some(Self {
            tone,
            text: letters.as_str().to_owned(),
        })
    }
}

/// Makes an answer of a page.
pub(crate) fn rendered(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => html_answer(html),
        Err(error) => {
            tracing::error!(%error, "a template could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Likewise, for a form that comes back because something in it is wrong.
pub(crate) fn rendered_again(page: &impl Template) -> Response {
    let mut response = rendered(page);
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    response
}

fn html_answer(html: String) -> Response {
    let mut response = html.into_response();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(CONTENT_TYPE, "text/html; charset=utf-8");
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(REFERRER_POLICY, "no-referrer");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    // browsers heed it over https alone
    set(
        STRICT_TRANSPORT_SECURITY,
        "max-age=31536000; includeSubDomains",
    );
    response
}

/// Answers an action: the browser goes on to another page, where the message is shown.
pub(crate) fn done(console: &Console, to: &str, flash: &Flash) -> Response {
    let mut response = axum::response::Redirect::to(to).into_response();
    let text = flash.sealed(console);
    Cookie::Flash.set(response.headers_mut(), console.is_secure(), Some(&text));
    response
}

/// Encodes a text for a query.
pub(crate) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A mistake at a field of a form that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The `id` of the field.
    pub(crate) field: &'static str,
    /// What is wrong, and what to do.
    pub(crate) text: String,
}

/// The mistakes of a form that came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mistakes(pub(crate) Vec<Mistake>);

impl Mistakes {
    pub(crate) fn one(field: &'static str, text: impl AsRef<str>) -> Self {
        let mut mistakes = Self::default();
        mistakes.add(field, text);
        mistakes
    }

    /// Adds one; what is no sentence yet becomes one.
    pub(crate) fn add(&mut self, field: &'static str, text: impl AsRef<str>) {
        self.0.push(Mistake {
            field,
            text: sentence(text.as_ref()),
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the first mistake at a field.
    pub(crate) fn at(&self, field: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|mistake| mistake.field == field)
            .map(|mistake| mistake.text.as_str())
    }
}

#[cfg(any(test, feature = "samples"))]
pub(crate) mod sample {
    //! Frames for samples.

    use super::{Frame, May, Place, SCRIPT_NAME, STYLE_NAME};

    /// Returns the frame of an owner who looks at a place.
    pub(crate) fn frame(place: Place, title: &str) -> Frame {
        Frame {
            title: title.to_owned(),
            style: &STYLE_NAME,
            script: &SCRIPT_NAME,
            csrf: "token".to_owned(),
            once: "once".to_owned(),
            place,
            organisation: "Alderbrook Logistics".to_owned(),
            region: "eu".to_owned(),
            me: "Mira Castellan".to_owned(),
            me_initials: "MC".to_owned(),
            role: "Owner",
            may: May {
                people: true,
                provisioning: true,
                administrators: true,
                organisation: true,
            },
            flash: None,
            applications_waiting: 2,
            integrations_waiting: 0,
        }
    }

    /// A name that tries to break out of wherever it is put.
    pub(crate) const HOSTILE: &str = "\"><script>alert(1)</script>'{{7*7}}<img src=x onerror=alert(1)> \u{202e}gnol Xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
}
