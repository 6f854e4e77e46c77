//! How the pages look: nobody, nobody found, many, one managed, one kept by hand with a mistake, hostile names.

use askama::Template;
use jiff::{SignedDuration, Timestamp};
use rollcall_app::directory::{Counterpart, Found, Named, Whole};
use rollcall_app::integrations::Parties;
use rollcall_app::{Counts, Entry};
use rollcall_model::link::LinkState;
use rollcall_model::{
    Activation, Actor, ApplicationId, AuditEntry, IntegrationId, IntegrationKind, Invitation, Kind,
    Origin, RequestId, ResourceId, Standing, TokenId, activation,
};
use rollcall_scim::resource::Resource;
use serde_json::{Value, json};

use super::invitation::LinkPage;
use super::one::{self, Typed};
use super::{Asked, list};
use crate::layout::sample::{HOSTILE, frame};
use crate::layout::{Mistakes, Place};
use crate::pages::object_question::{Question, Verb};
use crate::words::Zone;

fn now() -> Timestamp {
    Timestamp::from_second(1_763_472_728).unwrap_or_default()
}

/// Makes an object for a sample.
pub(crate) fn entry(kind: Kind, number: u8, managed: bool, document: Value) -> Entry {
    Entry {
        kind,
        id: ResourceId::from_bytes([number; 16]),
        version: 7,
        created: now() - SignedDuration::from_hours(9_000),
        modified: now() - SignedDuration::from_mins(i64::from(number) * 7),
        managed_by: managed.then(|| IntegrationId::from_bytes([1; 16])),
        resource: Resource::from_stored(document),
    }
    .stamped()
}

fn person(number: u8, name: &str, managed: bool, active: bool) -> Entry {
    let user_name = format!(
        "{}@alderbrook.example",
        name.to_lowercase().replace(' ', ".")
    );
    entry(
        Kind::User,
        number,
        managed,
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "externalId": "8d1f6a0e-52b4-4f3c-9b7e-0c6d2a91e5f7",
            "userName": user_name, "displayName": name, "active": active, "title": "Shift Planner",
            "emails": [{"value": user_name, "type": "work", "primary": true}],
            rollcall_scim::schema::ENTERPRISE_USER: {"department": "Warehouse Planning", "employeeNumber": "AL-40417"},
        }),
    )
}

fn whole(entry: Entry) -> Whole {
    let named = |number: u8, name: &str| Named {
        id: ResourceId::from_bytes([number; 16]),
        name: name.to_owned(),
    };
    let step = |sequence: u64, action: &str, detail: Value| AuditEntry {
        sequence,
        at: now() - SignedDuration::from_hours(i64::try_from(9 - sequence).unwrap_or(0) * 100),
        origin: Origin {
            actor: Actor::Integration {
                id: IntegrationId::from_bytes([1; 16]),
                token: TokenId::from_bytes([1; 16]),
            },
            request: RequestId::from_bytes([3; 16]),
            address: Some("20.190.160.14".to_owned()),
        },
        action: action.to_owned(),
        object: entry.id.to_string(),
        detail,
    };
    let changes = json!({"changes": [
        {"path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "old": "Inbound Freight", "new": "Warehouse Planning"},
        {"path": "title", "old": null, "new": "Shift Planner"},
    ]});
    Whole {
        standing: Standing::of(entry.resource.is_active(), false, None),
        activation: None,
        groups: vec![
            named(21, "All employees"),
            named(22, "Warehouse Leads EU"),
            named(23, HOSTILE),
        ],
        more_groups: true,
        manager: Some(named(24, "Tobias Adeyemi")),
        reports: vec![named(25, "Hana Satō")],
        more_reports: false,
        counterparts: vec![
            Counterpart {
                application: ApplicationId::from_bytes([1; 16]),
                name: "Keyhaven".to_owned(),
                state: LinkState::Active,
                failed: false,
            },
            Counterpart {
                application: ApplicationId::from_bytes([2; 16]),
                name: "Meridian CRM".to_owned(),
                state: LinkState::Active,
                failed: true,
            },
        ],
        history: vec![
            step(9, "user.updated", changes),
            step(5, "user.adopted", json!({})),
            step(2, "user.created", json!({})),
        ],
        memberships: Vec::new(),
        entry,
    }
}

fn activation(is_done: bool) -> Activation {
    let ago = |hours| now() - SignedDuration::from_hours(hours);
    let mut activation = Activation {
        sent: vec![ago(30), ago(2)],
        link: None,
        ..Activation::new(ResourceId::from_bytes([1; 16]), ago(30))
    };
    if let (false, Ok(address)) = (is_done, "ingrid@alderbrook.example".parse()) {
        activation.link = Some(Invitation {
            digest: [1; 32],
            expires: now() + activation::LINK_LIFETIME,
            address,
            salt: String::new(),
        });
    }
    if is_done {
        activation.activate(activation::Vault {
            since: ago(1),
            derivation: activation::DERIVATION.to_owned(),
            rounds: activation::ROUNDS,
            salt: String::new(),
            verifier: String::new(),
            wrapped_key: String::new(),
        });
    }
    activation
}

/// Somebody whose address was changed after they activated.
fn moved() -> Activation {
    let mut activation = activation(true);
    activation.proven = "ingrid@alderbrook.example".parse().ok();
    activation.seen = "i.solheim@elsewhere.example".parse().ok();
    activation
}

pub(crate) fn samples() -> Vec<(String, String)> {
    let zone = Zone::new(Some("Europe/Oslo"), now());
    let parties = Parties::new(
        [(IntegrationId::from_bytes([1; 16]), IntegrationKind::Entra)],
        [],
    );
    let counts = Counts {
        users: 104_318,
        active_users: 101_940,
        groups: 1_862,
    };
    let this = |title: &str| frame(Place::Users, title);
    let names = [
        "Ingrid Solheim",
        "Hana Satō",
        "Marek Dvořák",
        "Élodie Marchetti",
        HOSTILE,
    ];
    let entries: Vec<Entry> = (1_u8..)
        .zip(names)
        .map(|(number, name)| person(number, name, number % 2 == 1, number != 3))
        .collect();
    let found = |entries: Vec<Entry>, next| Found {
        invited: entries
            .iter()
            .skip(1)
            .step_by(3)
            .map(|one| one.id)
            .collect(),
        entries,
        next,
        is_partial: false,
    };
    let listed = |asked, found: &Found, counts| {
        list(this("Users"), asked, found, counts, &parties, &zone)
            .render()
            .unwrap_or_default()
    };
    let none = Asked {
        text: HOSTILE.to_owned(),
        status: "active",
        source: "entra".to_owned(),
        is_later: false,
    };
    let typed = Typed {
        display: HOSTILE.to_owned(),
        email: "no address".to_owned(),
        mistakes: Mistakes::one("email", "This is no e-mail address."),
    };
    let one = |entry, typed| {
        one::view(this("A person"), whole(entry), typed, true, &parties, &zone)
            .render()
            .unwrap_or_default()
    };
    let question = |verb, name: &str| {
        let question = Question {
            kind: Kind::User,
            verb,
            id: ResourceId::from_bytes([1; 16]).to_string(),
            name: name.to_owned(),
            source: Some("Entra ID"),
            belongs: 7,
        };
        let frame = this(&question.title());
        question.page(frame).render().unwrap_or_default()
    };
    let partial = Found {
        is_partial: true,
        ..found(vec![], Some(ResourceId::from_bytes([5; 16])))
    };
    let many = found(entries, Some(ResourceId::from_bytes([5; 16])));
    [
        ("users", listed(Asked::default(), &many, counts)),
        (
            "users-empty",
            listed(Asked::default(), &found(vec![], None), Counts::default()),
        ),
        ("users-none", listed(none, &found(vec![], None), counts)),
        ("users-partial", listed(Asked::default(), &partial, counts)),
        ("user", one(person(1, "Ingrid Solheim", true, true), None)),
        (
            "user-mistake",
            one(person(1, HOSTILE, false, false), Some(typed)),
        ),
        (
            "user-reset-activation",
            question(Verb::ResetActivation, HOSTILE),
        ),
        ("user-disable", question(Verb::Disable, "Ingrid Solheim")),
        ("user-release", question(Verb::Release, "Ingrid Solheim")),
        ("user-delete", question(Verb::Delete, HOSTILE)),
        ("user-erase", question(Verb::Erase, HOSTILE)),
    ]
    .into_iter()
    .chain(activations(&parties, &zone))
    .map(|(name, html)| (name.to_owned(), html))
    .collect()
}

/// How far somebody's activation may be.
fn activations(parties: &Parties, zone: &Zone) -> Vec<(&'static str, String)> {
    let of = |name: &str, activation: Option<Activation>, sends_mail| {
        let entry = person(1, name, true, true);
        let whole = Whole {
            standing: Standing::of(true, true, activation.as_ref()),
            activation,
            ..whole(entry)
        };
        one::view(
            frame(Place::Users, "A person"),
            whole,
            None,
            sends_mail,
            parties,
            zone,
        )
        .render()
        .unwrap_or_default()
    };
    let invited = |activation, sends_mail| of("Ingrid Solheim", activation, sends_mail);
    let link = |name: &str| {
        let page = LinkPage {
            frame: frame(Place::Users, "Invitation link"),
            id: ResourceId::from_bytes([1; 16]).to_string(),
            name: name.to_owned(),
            link: "https://rollcall.example/activate?token=0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77.Wm9vZnJvYmljYXRpbmdzZWNyZXRvZm5vYm9keQ".to_owned(),
        };
        page.render().unwrap_or_default()
    };
    vec![
        // the first letter is Cyrillic
        ("user-look-alike", of("Іngrid Solheim", None, true)),
        ("user-invited", invited(Some(activation(false)), true)),
        ("user-uninvited-no-mail", invited(None, false)),
        ("user-activated", invited(Some(activation(true)), true)),
        ("user-activated-elsewhere", invited(Some(moved()), true)),
        ("user-invitation-link", link("Ingrid Solheim")),
        ("user-invitation-link-hostile", link(HOSTILE)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_may_be_taken_for_another_is_pointed_out() {
        let of = |wanted: &str| {
            let all = samples();
            let found = all.into_iter().find(|(name, _)| name == wanted);
            found.unwrap().1
        };

        assert!(of("user-look-alike").contains("letters of several scripts"));
        assert!(!of("user").contains("letters of several scripts"));
    }
}
