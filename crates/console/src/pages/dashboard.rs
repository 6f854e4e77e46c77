//! The dashboard: what needs a person, then how things stand.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use rollcall_app::activity::Deed;
use rollcall_app::attention::Attention;
use rollcall_app::integrations::{Parties, Standing};
use rollcall_app::{AuditQuery, Counts};
use rollcall_model::application::Status;
use rollcall_model::provisioning::{Quarantine, QuarantineReason};
use rollcall_model::traffic::Hour;
use rollcall_model::{Application, IntegrationKind, Organisation, Permission, Plan};

use crate::Console;
use crate::charts::{self, Chart};
use crate::deeds::{self, Row};
use crate::filters;
use crate::guard::Known;
use crate::layout::{self, Frame, Place};
use crate::pages::integrations::tab;
use crate::problem::Problem;
use crate::table::{Needs, Routes, page};
use crate::words::{Zone, number, people};

/// So many of the latest changes are shown.
const LATEST: u64 = 6;
/// So many applications are shown.
const GOING: usize = 5;

pub(crate) fn routes() -> Routes {
    vec![page("/", Needs::Role(Permission::Read), look)]
}

/// How many decisions wait where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) applications: u64,
    pub(crate) integrations: u64,
}

/// Counts the decisions that wait.
pub(crate) async fn waiting(console: &Console, known: &Known) -> Result<Waiting, Problem> {
    let mut waiting = Waiting::default();
    for attention in console.app.attention(&known.visitor.context()).await? {
        match attention {
            Attention::Held { .. } | Attention::Quarantine { .. } => waiting.applications += 1,
            Attention::TokenExpires { .. } => waiting.integrations += 1,
            Attention::TrialEnds { .. } | Attention::Seats { .. } => {}
        }
    }
    Ok(waiting)
}

/// Something that waits for a decision, with the way to it.
#[derive(Debug)]
struct Todo {
    is_bad: bool,
    icon: &'static str,
    what: String,
    why: String,
    link: String,
    button: &'static str,
}

/// Where people come from, or go to.
#[derive(Debug)]
struct Node {
    link: String,
    letter: String,
    name: String,
    sub: String,
    class: &'static str,
    icon: &'static str,
    words: &'static str,
}

#[derive(Debug, Template)]
#[template(path = "dashboard.html")]
struct Dashboard {
    frame: Frame,
    today: String,
    /// Whether no directory was ever connected, and nobody is here.
    is_new: bool,
    attention: Vec<Todo>,
    coming: Vec<Node>,
    /// The first kind of directory that is not connected.
    free: &'static str,
    wires_in: Vec<u32>,
    users: u64,
    active: u64,
    disabled: u64,
    groups: u64,
    active_share: String,
    going: Vec<Node>,
    more_going: u64,
    wires_out: Vec<u32>,
    chart: Chart,
    requests: u64,
    failed: u64,
    plan: String,
    seats: Option<u64>,
    seat_share: String,
    latest: Vec<Row>,
}

/// What the dashboard is made of.
struct Material<'m> {
    organisation: &'m Organisation,
    attention: Vec<Attention>,
    standings: Vec<Standing>,
    unmanaged: Counts,
    counts: Counts,
    /// The applications: id, name, status, how many are in use there, whether its job has stopped.
    going: Vec<Going>,
    hours: Vec<Hour>,
    latest: Vec<Deed>,
    parties: &'m Parties,
}

/// An application as the dashboard shows it.
#[derive(Debug)]
struct Going {
    id: String,
    name: String,
    is_on: bool,
    in_use: u64,
    stopped: Option<bool>,
}

fn letter(name: &str) -> String {
    let first = name.chars().find(|letter| letter.is_alphanumeric());
    first.map_or(String::new(), |first| first.to_uppercase().collect())
}

/// The places at which wires begin: in the middle of each of so many nodes.
fn wires(count: usize) -> Vec<u32> {
    let count = u32::try_from(count).unwrap_or(1).max(1);
    (0..count)
        .map(|place| (200 * place + 100) / (2 * count))
        .collect()
}

fn restored(application: &Application, quarantine: &Quarantine, zone: &Zone) -> Todo {
    Todo {
        is_bad: true,
        icon: "alert",
        what: format!(
            "{} is held: the store was restored from a backup.",
            application.name
        ),
        why: format!(
            "Nothing is sent there since {}, until you restart it.",
            zone.short(quarantine.since).text
        ),
        link: format!("/applications/{}", application.id),
        button: "Look and restart",
    }
}

fn todo(attention: &Attention, zone: &Zone) -> Todo {
    match attention {
        Attention::Held {
            application,
            quarantine,
        } => Todo {
            is_bad: true,
            icon: "alert",
            what: format!(
                "{} would lose more people than its limit allows.",
                application.name
            ),
            why: format!(
                "Nobody is removed there since {}.",
                zone.short(quarantine.since).text
            ),
            link: format!("/applications/{}", application.id),
            button: "Review who",
        },
        Attention::Quarantine {
            application,
            quarantine,
        } if quarantine.reason == QuarantineReason::RestoredFromBackup => {
            restored(application, quarantine, zone)
        }
        Attention::Quarantine {
            application,
            quarantine,
        } => Todo {
            is_bad: true,
            icon: "alert",
            what: format!("{} is in quarantine", application.name),
            why: format!("since {}.", zone.short(quarantine.since).text),
            link: format!("/applications/{}", application.id),
            button: "Look at the cause",
        },
        Attention::TokenExpires { kind, at, .. } => {
            let has_ended = *at <= zone.now();
            Todo {
                is_bad: has_ended,
                icon: "clock",
                what: if has_ended {
                    format!("The provisioning token of {} has expired.", kind.short())
                } else {
                    format!(
                        "The provisioning token of {} expires {}.",
                        kind.short(),
                        zone.relative(*at)
                    )
                },
                why: if has_ended {
                    "Nothing arrives from it any more.".to_owned()
                } else {
                    format!("The last moment is {}.", zone.short(*at).text)
                },
                link: if has_ended {
                    format!("/settings/integrations/{}", kind.word())
                } else {
                    format!("/settings/integrations/{}/token/reset", kind.word())
                },
                button: if has_ended {
                    "Create a token"
                } else {
                    "Reset the token"
                },
            }
        }
        Attention::TrialEnds { at } => Todo {
            is_bad: *at <= zone.now(),
            icon: "clock",
            what: if *at <= zone.now() {
                "The trial has ended.".to_owned()
            } else {
                format!("The trial ends {}.", zone.relative(*at))
            },
            why: "Then nobody new comes in; people can still be disabled and removed.".to_owned(),
            link: "/settings/organisation".to_owned(),
            button: "Look at the plan",
        },
        Attention::Seats { taken, seats } => Todo {
            is_bad: *taken >= u64::from(*seats),
            icon: "users",
            what: format!(
                "{} of {} seats are taken.",
                number(*taken),
                number(u64::from(*seats))
            ),
            why: "When all are, new people are refused.".to_owned(),
            link: "/settings/organisation".to_owned(),
            button: "Look at the plan",
        },
    }
}

fn coming(standing: &Standing, zone: &Zone) -> Node {
    let kind = standing.integration.kind;
    let count = people(standing.managed.users);
    let (class, icon, words) = match &standing.last {
        None if standing.integration.seen.connected.is_none() => ("st-run", "dashc", "Waiting"),
        Some(last) if last.failed() => ("st-warn", "alert", "Last failed"),
        _ => ("st-ok", "okc", "OK"),
    };
    Node {
        link: format!("/settings/integrations/{}", kind.word()),
        letter: letter(kind.short().trim_start_matches("the ")),
        name: if kind == IntegrationKind::Custom {
            tab(kind).to_owned()
        } else {
            kind.short().to_owned()
        },
        sub: standing.last.as_ref().map_or(count.clone(), |last| {
            format!("{count}, {}", zone.relative(last.at))
        }),
        class,
        icon,
        words,
    }
}

fn going(application: &Going) -> Node {
    let (class, icon, words) = match (application.stopped, application.is_on) {
        (Some(true), _) => ("st-warn", "alert", "Held"),
        (Some(false), _) => ("st-bad", "xc", "Stopped"),
        (None, true) => ("st-ok", "okc", "On"),
        (None, false) => ("st-off", "offc", "Off"),
    };
    Node {
        link: format!("/applications/{}", application.id),
        letter: letter(&application.name),
        name: application.name.chars().take(40).collect(),
        sub: format!("{} in use", number(application.in_use)),
        class,
        icon,
        words,
    }
}

fn view(frame: Frame, material: &Material<'_>, zone: &Zone) -> Dashboard {
    let organisation = material.organisation;
    let mut nodes: Vec<Node> = material
        .standings
        .iter()
        .map(|standing| coming(standing, zone))
        .collect();
    if material.unmanaged.users > 0 {
        nodes.push(Node {
            link: "/users?source=none".to_owned(),
            letter: "L".to_owned(),
            name: "Managed by no directory".to_owned(),
            sub: people(material.unmanaged.users),
            class: "",
            icon: "org",
            words: "",
        });
    }
    let connected = |kind: &IntegrationKind| material.parties.of_kind(*kind).is_some();
    let free = IntegrationKind::ALL
        .into_iter()
        .find(|kind| !connected(kind));
    let shown: Vec<Node> = material.going.iter().take(GOING).map(going).collect();
    let Counts {
        users,
        active_users,
        groups,
    } = material.counts;
    let here = zone.time_zone().iana_name().unwrap_or("UTC");
    let plan = match organisation.plan {
        Plan::Paid => "Paid plan".to_owned(),
        Plan::Trial { until } => format!("Trial until {}", zone.day(until).text),
    };
    let seats = organisation.seats.map(u64::from);
    Dashboard {
        today: format!("{}, {here}", zone.short(zone.now()).text),
        is_new: material.standings.is_empty() && users == 0,
        attention: material
            .attention
            .iter()
            .map(|attention| todo(attention, zone))
            .collect(),
        wires_in: wires(nodes.len() + 1),
        coming: nodes,
        free: free.unwrap_or(IntegrationKind::Custom).word(),
        users,
        active: active_users,
        disabled: users.saturating_sub(active_users),
        groups,
        active_share: charts::share(active_users, users),
        more_going: material.going.len().saturating_sub(shown.len()) as u64,
        wires_out: wires(shown.len() + 1),
        going: shown,
        chart: charts::hours(&material.hours, zone),
        requests: material.hours.iter().map(|hour| hour.requests).sum(),
        failed: material.hours.iter().map(|hour| hour.failed).sum(),
        plan,
        seats,
        seat_share: charts::share(active_users, seats.unwrap_or(1)),
        latest: material
            .latest
            .iter()
            .map(|deed| deeds::row(deed, material.parties, zone))
            .collect(),
        frame,
    }
}

async fn look(State(console): State<Console>, known: Known) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let app = &console.app;
    let frame = console.frame(&known, Place::Dashboard, "Dashboard").await?;
    let zone = console.zone(&known);
    let day_ago = zone.now() - jiff::SignedDuration::from_hours(23);
    let parties = app.parties(&context).await?;
    let mut going = Vec::new();
    for listed in app.applications_at_a_glance(&context).await? {
        going.push(Going {
            id: listed.application.id.to_string(),
            is_on: listed.application.status == Status::On,
            name: listed.application.name,
            in_use: listed.in_use,
            stopped: listed
                .quarantine
                .map(|quarantine| quarantine.reason.waits_for_word()),
        });
    }
    let material = Material {
        organisation: &known.visitor.organisation,
        attention: app.attention(&context).await?,
        standings: app.standings(&context).await?,
        unmanaged: app.unmanaged(&context).await?,
        counts: app.counts(known.visitor.organisation.id).await?,
        going,
        hours: app.traffic(&context, day_ago).await?,
        latest: app
            .activity(&context, AuditQuery::default(), LATEST)
            .await?,
        parties: &parties,
    };
    Ok(layout::rendered(&view(frame, &material, &zone)))
}

#[cfg(any(test, feature = "samples"))]
#[expect(clippy::too_many_lines, reason = "samples are data")]
pub(crate) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::{HOSTILE, frame};
    use crate::pages::integrations::exchange;
    use rollcall_model::integration::Seen;
    use rollcall_model::{
        Actor, AuditEntry, Integration, IntegrationId, Origin, RequestId, TokenId,
    };

    let now = jiff::Timestamp::from_second(1_763_472_728).unwrap_or_default();
    let zone = Zone::new(Some("Europe/Oslo"), now);
    let id = IntegrationId::from_bytes([1; 16]);
    let known = Parties::new([(id, IntegrationKind::Entra)], []);
    let nobody = Parties::default();
    let organisation = |seats| Organisation {
        id: rollcall_model::OrgId::from_bytes([1; 16]),
        slug: "alderbrook"
            .parse()
            .unwrap_or_else(|_| unreachable!("a slug")),
        name: "Alderbrook Logistics".to_owned(),
        region: rollcall_model::Region::default(),
        plan: Plan::Paid,
        seats,
        created: now,
        mirrors: None,
        rules: rollcall_model::Rules::default(),
        time_zone: None,
        sends_invitations: false,
        retention: rollcall_model::retention::DEFAULT,
    };
    let standing = Standing {
        integration: Integration {
            id,
            kind: IntegrationKind::Entra,
            created: now,
            seen: Seen {
                connected: Some(now),
                ..Seen::default()
            },
        },
        tokens: Vec::new(),
        managed: Counts {
            users: 98_402,
            active_users: 98_000,
            groups: 1_790,
        },
        hours: Vec::new(),
        last: Some(exchange("GET", "/Users", 200)),
        last_failed: None,
    };
    let hour = |back: u64| Hour {
        from: now - jiff::SignedDuration::from_hours(i64::try_from(back).unwrap_or(0)),
        integration: Some(id),
        requests: (back * 53) % 310 + 12,
        failed: if back.is_multiple_of(6) { 7 } else { 0 },
    };
    let deed = |action: &str, name: &str| Deed {
        entry: AuditEntry {
            sequence: 1,
            at: now,
            origin: Origin {
                actor: Actor::Integration {
                    id,
                    token: TokenId::from_bytes([1; 16]),
                },
                request: RequestId::from_bytes([1; 16]),
                address: None,
            },
            action: action.to_owned(),
            object: "7".to_owned(),
            detail: serde_json::json!({"added": 12, "removed": 59}),
        },
        name: Some(name.to_owned()),
    };
    let application = |number: u8, name: &str, stopped| Going {
        id: rollcall_model::ApplicationId::from_bytes([number; 16]).to_string(),
        name: name.to_owned(),
        is_on: number != 3,
        in_use: 8_412,
        stopped,
    };
    let token = TokenId::from_bytes([1; 16]);
    let full = organisation(Some(110_000));
    let busy = Material {
        organisation: &full,
        attention: vec![
            Attention::TokenExpires {
                kind: IntegrationKind::Entra,
                token,
                at: now + jiff::SignedDuration::from_hours(12 * 24),
            },
            Attention::TokenExpires {
                kind: IntegrationKind::Okta,
                token,
                at: now - jiff::SignedDuration::from_hours(1),
            },
            Attention::Seats {
                taken: 109_999,
                seats: 110_000,
            },
            Attention::TrialEnds { at: now },
        ],
        standings: vec![standing.clone()],
        unmanaged: Counts {
            users: 185,
            active_users: 185,
            groups: 0,
        },
        counts: Counts {
            users: 104_318,
            active_users: 101_940,
            groups: 1_862,
        },
        going: vec![
            application(1, "Keyhaven", Some(true)),
            application(2, "Kestrel Service Desk", None),
            application(3, HOSTILE, None),
            application(4, "Meridian CRM", Some(false)),
        ],
        hours: (0..24).map(hour).collect(),
        latest: vec![
            deed("group.members", "Warehouse Leads EU"),
            deed("user.updated", HOSTILE),
        ],
        parties: &known,
    };
    let free = organisation(None);
    let calm = Material {
        organisation: &free,
        attention: Vec::new(),
        standings: vec![standing],
        going: Vec::new(),
        hours: Vec::new(),
        latest: Vec::new(),
        unmanaged: Counts::default(),
        counts: busy.counts,
        parties: &known,
    };
    let new = Material {
        organisation: &free,
        attention: Vec::new(),
        standings: Vec::new(),
        going: Vec::new(),
        hours: Vec::new(),
        latest: vec![deed("organisation.created", "Alderbrook Logistics")],
        unmanaged: Counts::default(),
        counts: Counts::default(),
        parties: &nobody,
    };
    [
        ("dashboard", busy),
        ("dashboard-calm", calm),
        ("dashboard-new", new),
    ]
    .into_iter()
    .map(|(name, material)| {
        let page = view(frame(Place::Dashboard, "Dashboard"), &material, &zone);
        (name.to_owned(), page.render().unwrap_or_default())
    })
    .collect()
}
