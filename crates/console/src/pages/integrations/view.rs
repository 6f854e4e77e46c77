//! What a page about one directory shows, made of how it stands.

use askama::Template;
use rollcall_app::integrations::{Parties, Standing};
use rollcall_model::{Exchange, IntegrationKind, TokenRecord};

use super::guide::{self, State, Step};
use crate::charts::{self, Chart};
use crate::explain;
use crate::filters;
use crate::layout::{Frame, Place};
use crate::words::{Moment, Zone, capital, number};

/// The name of a directory's tab.
pub(crate) fn tab(kind: IntegrationKind) -> &'static str {
    match kind {
        IntegrationKind::Entra => "Azure AD / Entra ID",
        IntegrationKind::Custom => "Custom SCIM",
        other => other.title(),
    }
}

/// How a directory calls the address of this server.
fn url_name(kind: IntegrationKind) -> &'static str {
    match kind {
        IntegrationKind::Entra => "Entra ID calls this the Tenant URL.",
        IntegrationKind::Okta => "Okta calls this the SCIM 2.0 Base Url.",
        IntegrationKind::OneLogin => "OneLogin calls this the SCIM Base URL.",
        IntegrationKind::Google => "Google calls this the Endpoint URL.",
        IntegrationKind::JumpCloud => "JumpCloud calls this the Base URL.",
        IntegrationKind::Ping => "PingOne calls this the SCIM BASE URL.",
        IntegrationKind::Custom => "The SCIM base URL: /Users and /Groups are below it.",
    }
}

/// How a directory calls the token.
fn token_name(kind: IntegrationKind) -> &'static str {
    match kind {
        IntegrationKind::Entra => "Secret Token",
        IntegrationKind::Okta => "OAuth Bearer Token",
        IntegrationKind::OneLogin => "SCIM Bearer Token",
        IntegrationKind::Google => "Access token",
        IntegrationKind::JumpCloud => "Token Key",
        IntegrationKind::Ping => "Oauth Access Token",
        IntegrationKind::Custom => "Authorization header",
    }
}

#[derive(Debug)]
pub(super) struct Tab {
    pub(super) word: &'static str,
    pub(super) title: &'static str,
    pub(super) is_current: bool,
    pub(super) is_connected: bool,
}

#[derive(Debug)]
pub(super) struct TokenRow {
    pub(super) id: String,
    pub(super) prefix: String,
    pub(super) ending: String,
    pub(super) created: Moment,
    pub(super) by: String,
    pub(super) used: Option<String>,
    pub(super) ends: Option<(Moment, String, bool)>,
    pub(super) works: bool,
    /// Whether a newer one works.
    pub(super) is_old: bool,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) writes: bool,
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) failed: bool,
    pub(super) at: Moment,
    pub(super) ago: String,
    pub(super) title: String,
}

/// A token that was just made.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) secret: String,
    pub(super) until: Option<Moment>,
    /// What becomes of the old one; absent: there was none.
    pub(super) old: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "integrations.html")]
pub(super) struct Page {
    pub(super) frame: Frame,
    pub(super) tabs: Vec<Tab>,
    pub(super) word: &'static str,
    pub(super) name: &'static str,
    pub(super) name_start: String,
    pub(super) url_name: &'static str,
    pub(super) token_name: &'static str,
    pub(super) url: String,
    pub(super) fresh: Option<Fresh>,
    pub(super) tokens: Vec<TokenRow>,
    /// Whether one of them works.
    pub(super) has_working: bool,
    pub(super) is_connected: bool,
    pub(super) people: u64,
    pub(super) groups: u64,
    pub(super) unmanaged: u64,
    pub(super) last: Option<Request>,
    pub(super) last_failed: Option<Request>,
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) spark: Chart,
    pub(super) steps: Vec<Step>,
    pub(super) guide_title: String,
    pub(super) all_done: bool,
    pub(super) seats: Option<u64>,
}

/// What a page is made of.
pub(super) struct Material<'m> {
    pub(super) kind: IntegrationKind,
    pub(super) url: String,
    pub(super) region: &'m str,
    pub(super) parties: &'m Parties,
    pub(super) standing: Option<Standing>,
    pub(super) unmanaged: u64,
    pub(super) fresh: Option<Fresh>,
    pub(super) seats: Option<u32>,
}

pub(super) fn page(frame: Frame, material: Material<'_>, zone: &Zone) -> Page {
    let Material {
        kind,
        url,
        region,
        parties,
        standing,
        unmanaged,
        fresh,
        seats,
    } = material;
    let tabs = IntegrationKind::ALL
        .into_iter()
        .map(|other| Tab {
            word: other.word(),
            title: tab(other),
            is_current: other == kind,
            is_connected: parties.of_kind(other).is_some(),
        })
        .collect();
    let seen = standing.as_ref().map(|one| one.integration.seen);
    let (mut tokens, mut works) = (Vec::new(), false);
    for token in standing.iter().flat_map(|one| &one.tokens) {
        let row = token_row(token, region, parties, works, zone);
        works |= row.works;
        tokens.push(row);
    }
    // those that have ended are of no use but to tell when
    let mut ended = 0;
    tokens.retain(|row| {
        ended += u32::from(!row.works);
        row.works || ended <= 3
    });
    let steps = guide::steps(kind, &url, works, seen.unwrap_or_default(), zone);
    let hours = standing.as_ref().map_or(&[][..], |one| &one.hours);
    let name = kind.short();
    let request = |exchange: &Option<Exchange>| {
        exchange
            .as_ref()
            .map(|exchange| request(exchange, name, zone))
    };
    Page {
        frame,
        tabs,
        word: kind.word(),
        name,
        name_start: capital(name),
        url_name: url_name(kind),
        token_name: token_name(kind),
        fresh,
        has_working: works,
        is_connected: seen.is_some_and(|seen| seen.connected.is_some()),
        people: standing.as_ref().map_or(0, |one| one.managed.users),
        groups: standing.as_ref().map_or(0, |one| one.managed.groups),
        unmanaged,
        last: standing.as_ref().and_then(|one| request(&one.last)),
        last_failed: standing.as_ref().and_then(|one| request(&one.last_failed)),
        requests: hours.iter().map(|hour| hour.requests).sum(),
        failed: hours.iter().map(|hour| hour.failed).sum(),
        spark: charts::spark(hours, zone.now()),
        all_done: steps.iter().all(|step| step.state == State::Done),
        guide_title: match kind {
            IntegrationKind::Custom => "Set up a SCIM client".to_owned(),
            _ => format!("Set up in {name}"),
        },
        steps,
        url,
        tokens,
        seats: seats.map(u64::from),
    }
}

fn token_row(
    token: &TokenRecord,
    region: &str,
    parties: &Parties,
    is_old: bool,
    zone: &Zone,
) -> TokenRow {
    let now = zone.now();
    let works = token.is_valid(now);
    TokenRow {
        id: token.id.to_string(),
        prefix: format!("rc_{region}_"),
        ending: token.ending.clone().unwrap_or_default(),
        created: zone.short(token.created),
        by: parties.name(&token.created_by).to_owned(),
        used: token.last_used.map(|at| zone.relative(at)),
        ends: token.expires.map(|at| {
            let soon = works && at.duration_since(now).as_hours() < 14 * 24;
            (zone.short(at), zone.relative(at), soon)
        }),
        works,
        is_old: is_old && works,
    }
}

pub(super) fn request(exchange: &Exchange, name: &str, zone: &Zone) -> Request {
    Request {
        id: exchange.request.to_string(),
        writes: exchange.method != "GET",
        method: exchange.method.clone(),
        path: exchange.path.clone(),
        status: exchange.status,
        failed: exchange.failed(),
        at: zone.exact(exchange.at),
        ago: zone.relative(exchange.at),
        title: explain::explain(exchange, name).title,
    }
}

/// Asks whether a token is to be reset.
#[derive(Debug, Template)]
#[template(path = "integration_reset.html")]
pub(super) struct ResetPage {
    pub(super) frame: Frame,
    pub(super) word: &'static str,
    pub(super) name: &'static str,
    pub(super) token_name: &'static str,
    pub(super) requests: u64,
    pub(super) used: Option<String>,
    /// When the old token stops after a day.
    pub(super) tomorrow: Moment,
    pub(super) lifetime: String,
}

pub(super) fn reset_page(
    frame: Frame,
    standing: &Standing,
    newest: &TokenRecord,
    zone: &Zone,
) -> ResetPage {
    let kind = standing.integration.kind;
    let tomorrow = zone.now() + jiff::SignedDuration::from_hours(24);
    let lifetime = newest.expires.map(|at| {
        let days = at.duration_since(newest.created).as_hours() / 24;
        number(days.unsigned_abs())
    });
    ResetPage {
        frame,
        word: kind.word(),
        name: kind.short(),
        token_name: token_name(kind),
        requests: standing.hours.iter().map(|hour| hour.requests).sum(),
        used: standing
            .tokens
            .iter()
            .filter_map(|token| token.last_used)
            .max()
            .map(|at| zone.relative(at)),
        tomorrow: zone.short(tomorrow),
        lifetime: lifetime.map_or_else(
            || "It never expires, like the one that it replaces.".to_owned(),
            |days| format!("It expires after {days} days, like the one that it replaces."),
        ),
    }
}

/// Asks whether a token is to be revoked.
#[derive(Debug, Template)]
#[template(path = "integration_revoke.html")]
pub(super) struct RevokePage {
    pub(super) frame: Frame,
    pub(super) word: &'static str,
    pub(super) name: &'static str,
    pub(super) row: TokenRow,
    pub(super) people: u64,
    pub(super) is_last: bool,
}

pub(super) fn revoke_page(
    frame: Frame,
    standing: &Standing,
    token: &TokenRecord,
    region: &str,
    parties: &Parties,
    zone: &Zone,
) -> RevokePage {
    let now = zone.now();
    let others = standing
        .tokens
        .iter()
        .filter(|other| other.id != token.id && other.is_valid(now));
    RevokePage {
        frame,
        word: standing.integration.kind.word(),
        name: standing.integration.kind.short(),
        row: token_row(token, region, parties, false, zone),
        people: standing.managed.users,
        is_last: others.count() == 0,
    }
}
