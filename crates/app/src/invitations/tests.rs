//! Invitations, with the clock in the hand.

use jiff::SignedDuration;
use rollcall_model::{IntegrationKind, RequestId};
use serde_json::json;

use super::*;
use crate::directory::{Expected, Wanted};
use crate::testing::Installation;

const ANN: &str = "ann@example.com";

struct House {
    installation: Installation,
    directory: Context,
    command: Context,
}

impl House {
    async fn new(installation: Installation) -> Self {
        let (_, _, directory) = installation.directory(IntegrationKind::Entra).await;
        let command = installation.command();
        Self {
            installation,
            directory,
            command,
        }
    }

    /// A house in which invitations are sent, and nothing else waits to be.
    async fn inviting() -> Self {
        let house = Self::new(Installation::new().await).await;
        house
            .app()
            .set_invitations(&house.command, true)
            .await
            .unwrap();
        house
    }

    fn app(&self) -> &App {
        &self.installation.app
    }

    fn advance(&self, minutes: i64) {
        self.installation
            .clock
            .advance(SignedDuration::from_mins(minutes));
    }

    async fn created(&self, context: &Context, name: &str) -> ResourceId {
        let body = json!({"userName": name, "externalId": name});
        let created = self.app().create(context, Kind::User, body).await;
        created.unwrap().entry.id
    }

    async fn put(&self, id: ResourceId, body: Value) {
        let (any, nothing) = (Expected::Any, Wanted::NOTHING);
        let done = self
            .app()
            .replace(&self.directory, Kind::User, id, body, any, nothing)
            .await;
        done.unwrap();
    }

    /// The invitations that wait, as addresses with links, the oldest first.
    async fn waiting(&self) -> Vec<(String, Secret)> {
        let due = self.app().due_letters().await.unwrap();
        due.into_iter()
            .filter_map(|due| match due.letter.content {
                Content::Activation { url, .. } => {
                    let token = url.split_once("/activate?token=").unwrap().1;
                    Some((due.letter.to.to_string(), Secret::new(token)))
                }
                _ => None,
            })
            .collect()
    }

    async fn link(&self) -> Secret {
        self.waiting().await.pop().unwrap().1
    }

    async fn is_good(&self, link: &Secret) -> bool {
        self.app().activation_offer(link).await.unwrap().is_some()
    }

    async fn activate(&self, link: &Secret) -> Result<String, Failure> {
        let offer = self.app().activation_offer(link).await.unwrap();
        let made = Made {
            salt: offer.map(|offer| offer.salt).unwrap_or_default(),
            key: Secret::new(URL_SAFE_NO_PAD.encode([1; 32])),
            wrapped_key: URL_SAFE_NO_PAD.encode([2; 60]),
        };
        self.app().activate(link, made, &knock()).await
    }

    async fn standing(&self, id: ResourceId) -> Standing {
        let whole = self.app().whole(&self.command, Kind::User, id).await;
        whole.unwrap().standing
    }

    async fn told(&self, id: ResourceId) -> Vec<String> {
        let whole = self.app().whole(&self.command, Kind::User, id).await;
        let history = whole.unwrap().history;
        history.into_iter().map(|entry| entry.action).collect()
    }
}

fn knock() -> Knock {
    Knock {
        request: RequestId::from_bytes([1; 16]),
        address: None,
        network: String::new(),
        agent: None,
        device: None,
    }
}

#[tokio::test]
async fn nobody_is_invited_unless_the_organisation_wants_it() {
    let house = House::new(Installation::new().await).await;
    let ann = house.created(&house.directory, ANN).await;
    assert!(house.waiting().await.is_empty());
    assert_eq!(house.standing(ann).await, Standing::Active);

    house
        .app()
        .set_invitations(&house.command, true)
        .await
        .unwrap();

    assert_eq!(
        house.standing(ann).await,
        Standing::Invited,
        "expected to activate"
    );
    assert!(
        house.waiting().await.is_empty(),
        "who was there before is not written to"
    );
    house.created(&house.command, "by-hand@example.com").await;
    house.created(&house.directory, "without an address").await;
    assert!(house.waiting().await.is_empty());
    house.created(&house.directory, "bob@example.com").await;
    let waiting = house.waiting().await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].0, "bob@example.com");
}

#[tokio::test]
async fn a_link_makes_active_once() {
    let house = House::inviting().await;
    let ann = house.created(&house.directory, ANN).await;
    let link = house.link().await;
    assert_eq!(house.standing(ann).await, Standing::Invited);

    assert_eq!(house.activate(&link).await.unwrap(), "Vault");

    assert_eq!(house.standing(ann).await, Standing::Active);
    assert_eq!(
        house.told(ann).await,
        ["user.activated", "user.invited", "user.created"]
    );
    let again = house.activate(&link).await;
    assert!(
        matches!(again, Err(Failure::Unauthenticated { .. })),
        "{again:?}"
    );
    let invited = house.app().send_invitation(&house.command, ann).await;
    assert!(
        matches!(invited, Err(Failure::Forbidden { .. })),
        "{invited:?}"
    );
}

#[tokio::test]
async fn a_link_dies_with_whatever_happens_to_its_person() {
    let house = House::inviting().await;
    for (what, body) in [
        ("disabled", json!({"userName": ANN, "active": false})),
        (
            "another address",
            json!({"userName": ANN, "emails": [{"value": "new@example.com"}]}),
        ),
        ("another name", json!({"userName": "no address"})),
    ] {
        let ann = house.created(&house.directory, ANN).await;
        let link = house.link().await;
        house
            .put(ann, json!({"userName": ANN, "title": "Buyer"}))
            .await;
        assert!(house.is_good(&link).await, "{what}: a title is no reason");

        house.put(ann, body).await;

        assert!(!house.is_good(&link).await, "{what}");
        assert!(house.activate(&link).await.is_err(), "{what}");
        let waiting = house.waiting().await;
        assert!(
            waiting.iter().all(|(to, _)| to == "new@example.com"),
            "{what}: the letter is not sent: {waiting:?}"
        );
        let expected = Expected::Any;
        let deleted = house
            .app()
            .delete(&house.directory, Kind::User, ann, expected);
        deleted.await.unwrap();
        assert!(house.waiting().await.is_empty(), "{what}: deleted");
        // who comes back has the same id, and begins anew
        house.advance(61);
    }

    house.created(&house.directory, ANN).await;
    let link = house.link().await;
    house.advance(7 * 24 * 60);
    assert!(!house.is_good(&link).await, "a week has passed");
    assert!(!house.is_good(&Secret::new("nonsense")).await);
    let elsewhere = format!("{}.abc", rollcall_model::OrgId::from_bytes([9; 16]));
    assert!(!house.is_good(&Secret::new(elsewhere)).await);
}

#[tokio::test]
async fn who_is_enabled_again_is_invited_again_and_not_more_than_thrice_an_hour() {
    let house = House::inviting().await;
    let ann = house.created(&house.directory, ANN).await;
    for _ in 0..5 {
        house
            .put(ann, json!({"userName": ANN, "active": false}))
            .await;
        house
            .put(ann, json!({"userName": ANN, "active": true}))
            .await;
    }
    let told = house.told(ann).await;
    let invited = told.iter().filter(|action| *action == "user.invited");
    assert_eq!(invited.count(), 3);
    let refused = house.app().send_invitation(&house.command, ann).await;
    assert!(
        matches!(refused, Err(Failure::TooMany { seconds: 3600 })),
        "{refused:?}"
    );

    house.advance(60);
    house
        .app()
        .send_invitation(&house.command, ann)
        .await
        .unwrap();
    assert_eq!(
        house.waiting().await.len(),
        1,
        "of several, the last one is sent"
    );
}

#[tokio::test]
async fn a_reset_takes_the_vault_and_invites_again() {
    let house = House::inviting().await;
    let ann = house.created(&house.directory, ANN).await;
    let early = house.app().reset_activation(&house.command, ann).await;
    assert!(matches!(early, Err(Failure::Forbidden { .. })), "{early:?}");
    house.activate(&house.link().await).await.unwrap();

    house
        .app()
        .reset_activation(&house.command, ann)
        .await
        .unwrap();

    assert_eq!(house.standing(ann).await, Standing::Invited);
    let told = house.told(ann).await;
    assert_eq!(told[..2], ["user.invited", "user.activation_reset"]);
    house.activate(&house.link().await).await.unwrap();
    assert_eq!(house.standing(ann).await, Standing::Active);
}

#[tokio::test]
async fn what_a_browser_did_not_make_is_refused_and_the_link_stays_good() {
    let house = House::inviting().await;
    house.created(&house.directory, ANN).await;
    let link = house.link().await;
    let salt = house
        .app()
        .activation_offer(&link)
        .await
        .unwrap()
        .unwrap()
        .salt;
    let good = (
        URL_SAFE_NO_PAD.encode([1; 32]),
        URL_SAFE_NO_PAD.encode([2; 60]),
    );
    for (salt, key, wrapped) in [
        ("", good.0.as_str(), good.1.as_str()),
        (&salt, "", &good.1),
        (&salt, "correct horse battery", &good.1),
        (&salt, &good.0, &good.0),
    ] {
        let made = Made {
            salt: salt.to_owned(),
            key: Secret::new(key),
            wrapped_key: wrapped.to_owned(),
        };
        let refused = house.app().activate(&link, made, &knock()).await;
        assert!(
            matches!(refused, Err(Failure::Forbidden { .. })),
            "{refused:?}"
        );
    }
    assert!(house.is_good(&link).await);
}

#[tokio::test]
async fn everybody_who_is_not_active_yet_is_invited_once() {
    let house = House::new(Installation::new().await).await;
    for number in 0..TOGETHER + 7 {
        let name = format!("person{number}@example.com");
        house.created(&house.directory, &name).await;
    }
    house.created(&house.directory, "without an address").await;
    house.created(&house.command, "by-hand@example.com").await;
    let (app, command) = (house.app(), &house.command);
    assert_eq!(app.count_uninvited(command).await.unwrap(), TOGETHER + 8);

    let first = app.invite_everybody(command).await.unwrap();
    let second = app.invite_everybody(command).await.unwrap();

    let invited = |invited| Invited {
        invited,
        passed_over: 1,
        more: false,
    };
    assert_eq!((first, second), (invited(TOGETHER + 7), invited(0)));
    assert_eq!(app.count_uninvited(command).await.unwrap(), 1);
}

#[tokio::test]
async fn without_a_way_to_send_mail_a_link_is_handed_over() {
    let house = House::new(Installation::without_mail().await).await;
    let (app, command) = (house.app(), &house.command);
    app.set_invitations(command, true).await.unwrap();
    let ann = house.created(&house.directory, ANN).await;
    assert_eq!(house.told(ann).await, ["user.created"]);
    let sent = app.send_invitation(command, ann).await;
    assert!(matches!(sent, Err(Failure::Forbidden { .. })), "{sent:?}");

    let Handed::Link(url) = app.hand_invitation(command, ann).await.unwrap() else {
        panic!("a link");
    };

    let token = url.expose().split_once("token=").unwrap().1;
    house.activate(&Secret::new(token)).await.unwrap();
    assert_eq!(house.standing(ann).await, Standing::Active);
}

#[tokio::test]
async fn a_clock_that_goes_a_year_ahead_and_back_neither_opens_a_link_for_a_year_nor_holds_mail_back()
 {
    let house = House::inviting().await;
    let app = house.app();
    let year = 365 * 24 * 60;
    house.advance(year);
    let ann = house.created(&house.directory, "ann@example.com").await;
    let ahead = house.link().await;
    assert!(house.is_good(&ahead).await);
    for _ in 0..2 {
        app.send_invitation(&house.command, ann).await.unwrap();
    }
    let refused = app.send_invitation(&house.command, ann).await;
    assert!(
        matches!(refused, Err(Failure::TooMany { .. })),
        "{refused:?}"
    );
    let latest = house.link().await;
    // what could not be sent there is put off from there
    for due in app.due_letters().await.unwrap() {
        app.letter_failed(due).await.unwrap();
    }
    assert_eq!(house.waiting().await.len(), 0);

    house.advance(-year);

    assert!(!house.is_good(&latest).await);
    app.send_invitation(&house.command, ann).await.unwrap();
    let link = house.link().await;
    assert!(house.is_good(&link).await);
    assert_eq!(
        house.waiting().await.len(),
        1,
        "those with ended links are forgotten"
    );
}

#[tokio::test]
async fn a_letter_that_was_put_off_by_a_clock_that_was_wrong_is_sent_now() {
    let house = House::inviting().await;
    let app = house.app();
    let year = 365 * 24 * 60;
    house.advance(year);
    // the letter about a token has no link that ends
    house.installation.directory(IntegrationKind::Okta).await;
    let email = "owner@example.com".parse().unwrap();
    let organisation = house.installation.organisation.id;
    let way = crate::administrators::WayIn::Password(Secret::new("correct horse battery"));
    app.create_administrator(organisation, email, way, app.command_origin())
        .await
        .unwrap();
    house.installation.directory(IntegrationKind::Ping).await;
    let due = app.due_letters().await.unwrap();
    assert_eq!(due.len(), 1);
    for due in due {
        app.letter_failed(due).await.unwrap();
    }
    assert!(app.due_letters().await.unwrap().is_empty());

    house.advance(-year);

    assert_eq!(app.due_letters().await.unwrap().len(), 1);
}
