//! Live requests: what directories asked, what was answered, and what it means.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rollcall_app::ExchangeQuery;
use rollcall_app::integrations::Parties;
use rollcall_model::traffic::BODY_KEPT;
use rollcall_model::{Exchange, IntegrationId, Permission, RequestId};

use crate::Console;
use crate::code::{self, Line};
use crate::explain::{self, Explained};
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Frame, Place, encoded};
use crate::people::{ROWS, source};
use crate::problem::Problem;
use crate::table::{Needs, Routes, page};
use crate::words::{Moment, Zone, capital, number};

pub(crate) fn routes() -> Routes {
    vec![page("/requests", Needs::Role(Permission::Read), look)]
}

#[derive(Debug)]
struct Row {
    link: String,
    is_chosen: bool,
    at: Moment,
    method: String,
    writes: bool,
    path: String,
    title: String,
    status: u16,
    failed: bool,
    took: String,
}

#[derive(Debug)]
struct Detail {
    id: String,
    at: Moment,
    took: String,
    directory: String,
    address: String,
    agent: String,
    method: String,
    path: String,
    short: String,
    status: u16,
    reason: &'static str,
    failed: bool,
    is_known: bool,
    token: String,
    told: Explained,
    asked: Option<Vec<Line>>,
    answered: Option<Vec<Line>>,
    is_cut: bool,
}

#[derive(Debug, Template)]
#[template(path = "requests.html")]
struct RequestsPage {
    frame: Frame,
    /// Whether nothing was asked for and nothing is kept.
    is_empty: bool,
    directories: Vec<(&'static str, &'static str, bool)>,
    failed: bool,
    rows: Vec<Row>,
    is_first: bool,
    older: Option<u64>,
    base: String,
    back: String,
    detail: Option<Detail>,
    /// The request that was asked for and of which no record is kept.
    gone: Option<RequestId>,
}

/// What was asked of the page.
#[derive(Debug, Default)]
struct Asked {
    /// The word of a directory, `refused`, or empty.
    of: String,
    failed: bool,
    before: Option<u64>,
}

impl Asked {
    /// The address of this list, from the newest on.
    fn base(&self) -> String {
        let failed = if self.failed { "&failed=1" } else { "" };
        format!("/requests?integration={}{failed}", encoded(&self.of))
    }

    /// The address of this page of the list.
    fn here(&self) -> String {
        let before = self.before.map(|before| format!("&before={before}"));
        format!("{}{}", self.base(), before.unwrap_or_default())
    }
}

/// Names who asked.
fn directory(of: Option<IntegrationId>, parties: &Parties) -> &'static str {
    match of {
        None => "somebody without a good token",
        Some(id) => parties
            .kind(id)
            .map_or("a directory that was disconnected", |kind| kind.short()),
    }
}

fn took(microseconds: u64) -> String {
    match microseconds {
        0..1_000 => "under 1 ms".to_owned(),
        1_000..10_000_000 => format!("{} ms", number(microseconds / 1_000)),
        _ => format!("{} s", number(microseconds / 1_000_000)),
    }
}

fn detail(exchange: &Exchange, ending: String, parties: &Parties, zone: &Zone) -> Detail {
    let name = directory(exchange.integration, parties);
    let body = |body: &Option<String>| body.as_deref().map(code::body);
    let is_long = |body: &Option<String>| {
        let length = body.as_ref().map_or(0, String::len);
        length > BODY_KEPT - 4
    };
    let status = StatusCode::from_u16(exchange.status).ok();
    let path = exchange.path.split('?').next().unwrap_or_default();
    Detail {
        id: exchange.request.to_string(),
        at: zone.exact(exchange.at),
        took: took(exchange.took),
        directory: capital(name),
        address: exchange.address.clone().unwrap_or_default(),
        agent: exchange.agent.clone().unwrap_or_default(),
        method: exchange.method.clone(),
        short: path.chars().take(120).collect(),
        path: exchange.path.chars().take(2_000).collect(),
        status: exchange.status,
        reason: status
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default(),
        failed: exchange.failed(),
        is_known: exchange.token.is_some(),
        token: ending,
        told: explain::explain(exchange, name),
        asked: body(&exchange.asked),
        answered: body(&exchange.answered),
        is_cut: is_long(&exchange.asked) || is_long(&exchange.answered),
    }
}

fn view(
    frame: Frame,
    asked: &Asked,
    found: &[(u64, Exchange)],
    detail: Option<Detail>,
    parties: &Parties,
    zone: &Zone,
) -> RequestsPage {
    let chosen = detail.as_ref().map(|detail| detail.id.clone());
    let here = asked.here();
    let rows: Vec<Row> = found
        .iter()
        .take(usize::try_from(ROWS).unwrap_or(usize::MAX))
        .map(|(_, exchange)| {
            let id = exchange.request.to_string();
            Row {
                link: format!("{here}&id={id}"),
                is_chosen: chosen.as_ref() == Some(&id),
                at: zone.exact(exchange.at),
                writes: exchange.method != "GET",
                method: exchange.method.clone(),
                path: readable(&exchange.path),
                title: explain::explain(exchange, directory(exchange.integration, parties))
                    .title
                    .chars()
                    .take(120)
                    .collect(),
                status: exchange.status,
                failed: exchange.failed(),
                took: took(exchange.took),
            }
        })
        .collect();
    let has_more = found.len() > rows.len();
    let last = rows.len().checked_sub(1).and_then(|last| found.get(last));
    let connected = parties
        .kinds()
        .into_iter()
        .map(|(kind, id)| (kind.word(), source(Some(id), parties)));
    RequestsPage {
        frame,
        is_empty: rows.is_empty() && detail.is_none() && asked.here() == Asked::default().here(),
        directories: connected
            .chain([("refused", "Without a good token")])
            .map(|(word, title)| (word, title, word == asked.of))
            .collect(),
        failed: asked.failed,
        rows,
        is_first: asked.before.is_none(),
        older: last.map(|(place, _)| *place).filter(|_| has_more),
        base: asked.base(),
        back: here,
        detail,
        gone: None,
    }
}

/// Writes a path as people read it, shortened.
fn readable(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else {
        return path.chars().take(120).collect();
    };
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let pairs = pairs.map(|(name, value)| format!("{name}={value}"));
    let query = pairs.collect::<Vec<_>>().join("&");
    format!("{path}?{query}").chars().take(160).collect()
}

async fn look(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let parties = console.app.parties(&context).await?;
    let word = form.text("integration");
    let of = match word {
        "refused" => Some(None),
        word => word
            .parse()
            .ok()
            .and_then(|kind| parties.of_kind(kind))
            .map(Some),
    };
    let asked = Asked {
        of: of.map_or(String::new(), |_| word.to_owned()),
        failed: form.has("failed"),
        before: form.text("before").parse().ok(),
    };
    let query = ExchangeQuery {
        of,
        failed: asked.failed,
        before: asked.before,
    };
    let found = console.app.exchanges(&context, query, ROWS + 1).await?;
    let zone = console.zone(&known);
    let id = match form.text("id") {
        "" => None,
        id => Some(id.parse::<RequestId>().map_err(|_| Problem::missing())?),
    };
    let chosen = match id {
        Some(id) => console.app.exchange(&context, id).await?,
        None => None,
    };
    let gone = id.filter(|_| chosen.is_none());
    let shown = match chosen {
        Some(exchange) => {
            let (_, tokens) = console.app.tokens(known.visitor.organisation.id).await?;
            let token = tokens
                .into_iter()
                .find(|one| Some(one.id) == exchange.token);
            let ending = token.and_then(|token| token.ending).unwrap_or_default();
            Some(detail(&exchange, ending, &parties, &zone))
        }
        None => None,
    };
    let frame = console
        .frame(&known, Place::Requests, "Live requests")
        .await?;
    let mut page = view(frame, &asked, &found, shown, &parties, &zone);
    page.gone = gone;
    let status = gone.map_or(StatusCode::OK, |_| StatusCode::NOT_FOUND);
    Ok((status, layout::rendered(&page)).into_response())
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::{HOSTILE, frame};
    use rollcall_model::IntegrationKind;
    use serde_json::json;

    let exchange = crate::pages::integrations::exchange;
    let zone = Zone::new(Some("Europe/Oslo"), exchange("", "", 0).at);
    let parties = Parties::new(
        [(IntegrationId::from_bytes([1; 16]), IntegrationKind::Entra)],
        [],
    );
    let mut refused = exchange("POST", "/Users", 409);
    let asked = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "priya.raghunathan@alderbrook.example", "active": true});
    refused.asked = Some(asked.to_string());
    let answered = json!({"status": "409", "scimType": "uniqueness", "detail": "`userName` is taken: an account that this directory cannot take over has it; choose another value"});
    refused.answered = Some(answered.to_string());
    let mut hostile = exchange("GET", &format!("/Users?filter=userName eq {HOSTILE}"), 401);
    hostile.request = RequestId::from_bytes([8; 16]);
    hostile.integration = None;
    hostile.token = None;
    hostile.agent = Some(HOSTILE.to_owned());
    hostile.answered = Some(HOSTILE.repeat(20));
    let found: Vec<(u64, Exchange)> = [
        exchange("GET", "/Users?filter=userName+eq+%22ann%22", 200),
        exchange("PATCH", "/Groups/3f1c77ab-0000-7000-8000-000000000001", 204),
        refused.clone(),
        hostile.clone(),
    ]
    .into_iter()
    .zip(10_u64..)
    .map(|(mut exchange, place)| {
        if exchange.status < 400 {
            let number = u8::try_from(place).unwrap_or(0);
            exchange.request = RequestId::from_bytes([number; 16]);
        }
        (place, exchange)
    })
    .collect();
    let one = |asked: &Asked, found: &[(u64, Exchange)], of: Option<&Exchange>| {
        let detail = of.map(|of| detail(of, "q1fa".to_owned(), &parties, &zone));
        let frame = frame(Place::Requests, "Live requests");
        view(frame, asked, found, detail, &parties, &zone)
            .render()
            .unwrap_or_default()
    };
    let mut gone = view(
        frame(Place::Requests, "Live requests"),
        &Asked::default(),
        &found,
        None,
        &parties,
        &zone,
    );
    gone.gone = Some(RequestId::from_bytes([7; 16]));
    let gone = gone.render().unwrap_or_default();
    let filtered = Asked {
        of: "entra".to_owned(),
        failed: true,
        before: Some(7),
    };
    let all = Asked::default();
    [
        ("requests-empty", one(&all, &[], None)),
        ("requests-none", one(&filtered, &[], None)),
        ("requests", one(&all, &found, None)),
        ("requests-detail", one(&all, &found, Some(&refused))),
        ("requests-refused", one(&filtered, &found, Some(&hostile))),
        ("requests-gone", gone),
    ]
    .into_iter()
    .map(|(name, html)| (name.to_owned(), html))
    .collect()
}
