//! How the pages look: before the first token, waiting, connected, with two tokens, to whoever only reads.

use askama::Template;
use jiff::{SignedDuration, Timestamp};
use rollcall_app::Counts;
use rollcall_app::integrations::{Parties, Standing};
use rollcall_model::integration::Seen;
use rollcall_model::traffic::Hour;
use rollcall_model::{
    Actor, AdminId, Exchange, Integration, IntegrationId, IntegrationKind, RequestId, TokenId,
    TokenRecord,
};

use super::view::{self, Fresh, Material};
use crate::layout::sample::{HOSTILE, frame};
use crate::layout::{Frame, Place};
use crate::words::Zone;

fn now() -> Timestamp {
    Timestamp::from_second(1_763_472_728).unwrap_or_default()
}

fn zone() -> Zone {
    Zone::new(Some("Europe/Oslo"), now())
}

fn this() -> Frame {
    frame(Place::Integrations, "Directory integrations")
}

fn token(number: u8, age: i64, expires: Option<i64>, used: Option<i64>) -> TokenRecord {
    TokenRecord {
        revoked: None,
        id: TokenId::from_bytes([number; 16]),
        integration: IntegrationId::from_bytes([1; 16]),
        created: now() - SignedDuration::from_hours(age),
        created_by: Actor::Administrator {
            id: AdminId::from_bytes([1; 16]),
        },
        expires: expires.map(|hours| now() + SignedDuration::from_hours(hours)),
        last_used: used.map(|minutes| now() - SignedDuration::from_mins(minutes)),
        ending: Some(format!("q{number}fa")),
    }
}

pub(crate) fn exchange(method: &str, path: &str, status: u16) -> Exchange {
    Exchange {
        request: RequestId::from_bytes([9; 16]),
        at: now() - SignedDuration::from_mins(2),
        took: 11_400,
        integration: Some(IntegrationId::from_bytes([1; 16])),
        token: Some(TokenId::from_bytes([1; 16])),
        address: Some("20.190.160.14".to_owned()),
        agent: Some("Azure-AD-Provisioning".to_owned()),
        method: method.to_owned(),
        path: path.to_owned(),
        status,
        asked: None,
        answered: None,
    }
}

fn standing(tokens: Vec<TokenRecord>, seen: Seen) -> Standing {
    let hour = |back: u64| Hour {
        from: now() - SignedDuration::from_hours(i64::try_from(back).unwrap_or_default()),
        integration: Some(IntegrationId::from_bytes([1; 16])),
        requests: (back * 37) % 200 + 20,
        failed: if back.is_multiple_of(7) { 12 } else { 0 },
    };
    let is_seen = seen.connected.is_some();
    Standing {
        integration: Integration {
            id: IntegrationId::from_bytes([1; 16]),
            kind: IntegrationKind::Entra,
            created: now() - SignedDuration::from_hours(9_000),
            seen,
        },
        tokens,
        managed: Counts {
            users: if is_seen { 98_402 } else { 0 },
            active_users: 0,
            groups: if is_seen { 1_790 } else { 0 },
        },
        hours: if is_seen {
            (0..24).map(hour).collect()
        } else {
            Vec::new()
        },
        last: is_seen
            .then(|| exchange("PATCH", "/Groups/3f1c77ab-0000-7000-8000-000000000001", 204)),
        last_failed: is_seen.then(|| exchange("POST", "/Users", 409)),
    }
}

fn page(frame: Frame, standing: Option<Standing>, fresh: Option<Fresh>, by: &str) -> String {
    let id = IntegrationId::from_bytes([1; 16]);
    let parties = Parties::new(
        standing.iter().map(|_| (id, IntegrationKind::Entra)),
        [(AdminId::from_bytes([1; 16]), by.to_owned())],
    );
    let material = Material {
        kind: IntegrationKind::Entra,
        url: "https://eu.rollcall.example/scim/v2/alderbrook".to_owned(),
        region: "eu",
        parties: &parties,
        standing,
        unmanaged: 412,
        fresh,
        seats: Some(110_000),
    };
    view::page(frame, material, &zone())
        .render()
        .unwrap_or_default()
}

pub(crate) fn samples() -> Vec<(String, String)> {
    let all = Seen {
        connected: Some(now() - SignedDuration::from_hours(8_000)),
        looked_up: Some(now() - SignedDuration::from_hours(8_000)),
        created: Some(now() - SignedDuration::from_hours(7_990)),
        changed: None,
        grouped: None,
    };
    let mira = "Mira Castellan";
    let working = token(1, 8_000, Some(12 * 24), Some(2));
    let fresh = || Fresh {
        secret: "rc_eu_q7hq2mvxt9bkdr4swcypl0njfeua6gz3iohmvxtqy8kb3fq9aaaa_abcdefg".to_owned(),
        until: Some(zone().day(now() + SignedDuration::from_hours(8_760))),
        old: None,
    };
    let mut auditor = this();
    auditor.may.provisioning = false;
    let reset = view::reset_page(
        this(),
        &standing(vec![working.clone()], all),
        &working,
        &zone(),
    );
    let parties = Parties::new([], [(AdminId::from_bytes([1; 16]), HOSTILE.to_owned())]);
    let revoke = view::revoke_page(
        this(),
        &standing(vec![working.clone()], all),
        &working,
        "eu",
        &parties,
        &zone(),
    );
    let one = || standing(vec![token(1, 0, Some(8_760), None)], Seen::default());
    let two = standing(
        vec![
            token(2, 1, Some(8_760), None),
            token(1, 8_000, Some(23), Some(2)),
            token(3, 9_000, Some(-7_000), None),
        ],
        all,
    );
    [
        ("integrations-new", page(this(), None, None, mira)),
        (
            "integrations-token",
            page(this(), Some(one()), Some(fresh()), mira),
        ),
        (
            "integrations-waiting",
            page(this(), Some(one()), None, mira),
        ),
        (
            "integrations",
            page(this(), Some(standing(vec![working], all)), None, mira),
        ),
        (
            "integrations-overlap",
            page(this(), Some(two), Some(fresh()), HOSTILE),
        ),
        ("integrations-auditor", page(auditor, None, None, mira)),
        ("integrations-reset", reset.render().unwrap_or_default()),
        ("integrations-revoke", revoke.render().unwrap_or_default()),
    ]
    .into_iter()
    .map(|(name, html)| (name.to_owned(), html))
    .collect()
}
