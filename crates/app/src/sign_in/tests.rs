//! Whole ways in.

use jiff::SignedDuration;

use rollcall_model::Role;

use super::second_factor::code_now;
use super::*;
use crate::administrators::{Handed, WayIn};
use crate::testing::Installation;

const PASSWORD: &str = "correct horse battery";

fn knock(app: &App) -> Knock {
    Knock {
        request: app.new_request_id(),
        address: Some("192.0.2.1".to_owned()),
        network: "192.0.2.1".to_owned(),
        agent: Some("Firefox".to_owned()),
        device: None,
    }
}

async fn administrator(installation: &Installation, email: &str) -> Administrator {
    let app = &installation.app;
    let way = WayIn::Password(Secret::new(PASSWORD));
    let origin = app.command_origin();
    let organisation = installation.organisation.id;
    let created = app.create_administrator(organisation, email.parse().unwrap(), way, origin);
    created.await.unwrap().0
}

async fn sign_in(app: &App, email: &str, password: &str) -> Result<Proof, Failure> {
    let attempt = Attempt {
        email: email.parse().unwrap(),
        password: Secret::new(password),
        organisation: None,
        knock: knock(app),
    };
    match app.sign_in(attempt).await? {
        SignIn::Begun(proof) => Ok(proof),
        SignIn::Choose(_) => panic!("there is one organisation"),
    }
}

async fn visitor(app: &App, proof: &Proof) -> Option<Visitor> {
    let found = app.visitor(&proof.cookie, app.new_request_id(), None).await;
    found.unwrap()
}

#[tokio::test]
async fn a_right_password_opens_a_session_that_ends_by_itself_or_when_it_is_ended() {
    let installation = Installation::new().await;
    let app = &installation.app;
    administrator(&installation, "ann@example.com").await;

    let wrong = sign_in(app, "ann@example.com", "wrong horse battery").await;
    assert!(matches!(wrong, Err(Failure::Unauthenticated { .. })));
    let unknown = sign_in(app, "bob@example.com", PASSWORD).await;
    assert!(matches!(unknown, Err(Failure::Unauthenticated { .. })));

    let proof = sign_in(app, "Ann@Example.com", PASSWORD).await.unwrap();
    assert_eq!(proof.stage, Stage::Full);
    let ann = visitor(app, &proof).await.unwrap();
    assert!(ann.session.is_fresh(app.now()));
    installation.clock.advance(SignedDuration::from_mins(29));
    assert!(visitor(app, &proof).await.is_some(), "and is seen");
    installation.clock.advance(SignedDuration::from_mins(29));
    let ann = visitor(app, &proof).await.unwrap();
    assert!(!ann.session.is_fresh(app.now()));
    app.sign_out(&ann).await.unwrap();
    assert!(visitor(app, &proof).await.is_none());

    let proof = sign_in(app, "ann@example.com", PASSWORD).await.unwrap();
    installation.clock.advance(SignedDuration::from_mins(30));
    assert!(visitor(app, &proof).await.is_none(), "it rested too long");
    let forged = Proof {
        cookie: Secret::new(proof.cookie.expose().replace('.', ".x")),
        ..proof
    };
    assert!(visitor(app, &forged).await.is_none());
}

#[tokio::test]
async fn a_hash_of_former_days_is_made_anew_when_its_password_comes() {
    let installation = Installation::new().await;
    let app = &installation.app;
    let id = administrator(&installation, "ann@example.com").await.id;
    let tenant = app.store().tenant(installation.organisation.id);
    // the same password, hashed with less memory and one pass
    let old = passwords::hashed_with(PASSWORD, (64, 1));
    let kept = old.clone();
    tenant
        .write::<_, Failure, _>(move |writer| Ok(writer.save_password_hash(id, &kept)?))
        .await
        .unwrap();
    let hash = async || {
        let read = tenant.read::<_, Failure, _>(move |reader| Ok(reader.password_hash(id)?));
        read.await.unwrap().unwrap()
    };

    let wrong = sign_in(app, "ann@example.com", "wrong horse battery").await;
    assert!(matches!(wrong, Err(Failure::Unauthenticated { .. })));
    assert_eq!(hash().await, old);
    sign_in(app, "ann@example.com", PASSWORD).await.unwrap();

    assert!(!Passwords::is_outdated(&hash().await));
    sign_in(app, "ann@example.com", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_is_good_once() {
    let installation = Installation::new().await;
    let app = &installation.app;
    administrator(&installation, "ann@example.com").await;
    let proof = sign_in(app, "ann@example.com", PASSWORD).await.unwrap();
    let ann = visitor(app, &proof).await.unwrap();
    let enrolment = app.begin_enrolment(&ann).unwrap();
    assert!(enrolment.address.expose().starts_with("otpauth://totp/"));
    let wrong = app.finish_enrolment(&ann, &enrolment.sealed, "000000");
    assert!(wrong.await.is_err());
    let code = code_now(&enrolment, app.now());
    let (codes, renewed) = app
        .finish_enrolment(&ann, &enrolment.sealed, &code)
        .await
        .unwrap();
    assert_eq!(codes.len(), 10);
    assert!(
        visitor(app, &proof).await.is_none(),
        "its secret is a new one"
    );
    assert!(visitor(app, &renewed).await.is_some());

    let waiting = sign_in(app, "ann@example.com", PASSWORD).await.unwrap();
    assert_eq!(waiting.stage, Stage::SecondFactor);
    let ann = visitor(app, &waiting).await.unwrap();
    let again = app.second_step(&ann, &code, &knock(app)).await;
    assert!(again.unwrap_err().to_string().contains("used already"));
    installation.clock.advance(SignedDuration::from_secs(30));
    let next = code_now(&enrolment, app.now());
    let (full, left) = app.second_step(&ann, &next, &knock(app)).await.unwrap();
    assert_eq!((full.stage, left), (Stage::Full, None));

    let waiting = sign_in(app, "ann@example.com", PASSWORD).await.unwrap();
    let ann = visitor(app, &waiting).await.unwrap();
    let recovery = codes[0].expose().to_uppercase();
    let (_, left) = app.second_step(&ann, &recovery, &knock(app)).await.unwrap();
    assert_eq!(left, Some(9));
    let waiting = sign_in(app, "ann@example.com", PASSWORD).await.unwrap();
    let ann = visitor(app, &waiting).await.unwrap();
    assert!(app.second_step(&ann, &recovery, &knock(app)).await.is_err());
}

#[tokio::test]
async fn a_new_password_does_not_go_round_the_second_factor() {
    let installation = Installation::new().await;
    let app = &installation.app;
    administrator(&installation, "ann@example.com").await;
    let proof = sign_in(app, "ann@example.com", PASSWORD).await.unwrap();
    let ann = visitor(app, &proof).await.unwrap();
    let enrolment = app.begin_enrolment(&ann).unwrap();
    let code = code_now(&enrolment, app.now());
    let enrolled = app.finish_enrolment(&ann, &enrolment.sealed, &code).await;
    let (_, full) = enrolled.unwrap();

    let handed = app
        .reset_administrator(
            installation.organisation.id,
            "ann@example.com".parse().unwrap(),
            WayIn::Link,
            app.command_origin(),
        )
        .await;
    let Ok(Handed::Link(address)) = handed else {
        panic!("a link")
    };
    assert!(visitor(app, &full).await.is_none(), "the sessions ended");
    let link = address.expose().split_once("token=").unwrap().1;
    let link = Secret::new(link);
    assert!(app.link_owner(&link).await.unwrap().is_some());
    let here = knock(app);
    let weak = app.use_link(&link, None, Secret::new("short"), &here);
    assert!(matches!(weak.await, Err(Failure::Forbidden { .. })));
    let password = Secret::new("another horse battery");
    let proof = app.use_link(&link, None, password.clone(), &here);
    assert_eq!(proof.await.unwrap().stage, Stage::SecondFactor);
    let again = app.use_link(&link, None, password, &here).await;
    assert!(matches!(again, Err(Failure::Unauthenticated { .. })));
    assert!(sign_in(app, "ann@example.com", PASSWORD).await.is_err());
}

#[tokio::test]
async fn who_guesses_waits_and_the_owner_at_a_known_browser_does_not() {
    let installation = Installation::new().await;
    let app = &installation.app;
    administrator(&installation, "ann@example.com").await;
    let known = sign_in(app, "ann@example.com", PASSWORD)
        .await
        .unwrap()
        .device;
    for _ in 0..5 {
        drop(sign_in(app, "ann@example.com", "wrong horse battery").await);
    }

    let right = sign_in(app, "ann@example.com", PASSWORD).await;
    assert!(matches!(right, Err(Failure::TooMany { .. })), "{right:?}");
    let attempt = Attempt {
        email: "ann@example.com".parse().unwrap(),
        password: Secret::new(PASSWORD),
        organisation: None,
        knock: Knock {
            device: Some(known),
            ..knock(app)
        },
    };
    assert!(app.sign_in(attempt).await.is_ok());
    installation.clock.advance(SignedDuration::from_mins(1));
    assert!(sign_in(app, "ann@example.com", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_clock_that_goes_a_year_ahead_and_back_lets_nobody_stay_and_keeps_nobody_out() {
    let installation = Installation::new().await;
    let (app, clock) = (&installation.app, &installation.clock);
    let year = SignedDuration::from_hours(365 * 24);
    administrator(&installation, "ann@example.com").await;
    let before = sign_in(app, "ann@example.com", PASSWORD).await.unwrap();

    clock.advance(year);
    assert!(visitor(app, &before).await.is_none(), "it is a year old");
    let ahead = sign_in(app, "ann@example.com", PASSWORD).await.unwrap();
    let ann = visitor(app, &ahead).await.unwrap();
    let enrolment = app.begin_enrolment(&ann).unwrap();
    let code = code_now(&enrolment, app.now());
    let enrolled = app.finish_enrolment(&ann, &enrolment.sealed, &code).await;
    let (_, ahead) = enrolled.unwrap();
    for _ in 0..9 {
        let wrong = sign_in(app, "ann@example.com", "wrong horse battery").await;
        assert!(wrong.is_err());
    }
    let email = "bob@example.com".parse().unwrap();
    let organisation = installation.organisation.id;
    let origin = app.command_origin();
    let made = app.create_administrator(organisation, email, WayIn::Link, origin);
    let (_, Handed::Link(link)) = made.await.unwrap() else {
        panic!("a link is handed over");
    };
    let link = Secret::new(link.expose().split_once("token=").unwrap().1);
    assert!(app.link_owner(&link).await.unwrap().is_some());

    clock.advance(-year);
    assert!(visitor(app, &ahead).await.is_none(), "nobody knows its age");
    assert!(app.link_owner(&link).await.unwrap().is_none());
    // neither the failures nor the code of that time are held against her
    let again = sign_in(app, "ann@example.com", PASSWORD).await.unwrap();
    assert_eq!(again.stage, Stage::SecondFactor);
    let ann = visitor(app, &again).await.unwrap();
    let code = code_now(&enrolment, app.now());
    let (full, _) = app.second_step(&ann, &code, &knock(app)).await.unwrap();
    assert_eq!(full.stage, Stage::Full);

    clock.advance(-year);
    assert!(visitor(app, &full).await.is_none(), "a year before, too");
    sign_in(app, "ann@example.com", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn one_password_is_not_tried_on_everybody_from_one_place() {
    let installation = Installation::new().await;
    let app = &installation.app;
    for number in 0..20 {
        let email = format!("person{number}@example.com");
        let wrong = sign_in(app, &email, PASSWORD).await;
        assert!(
            matches!(wrong, Err(Failure::Unauthenticated { .. })),
            "{wrong:?}"
        );
    }

    let next = sign_in(app, "person20@example.com", PASSWORD).await;

    let Err(Failure::TooMany { seconds }) = next else {
        panic!("{next:?}");
    };
    assert!(seconds <= 3, "{seconds}");
    installation.clock.advance(SignedDuration::from_secs(3));
    let next = sign_in(app, "person20@example.com", PASSWORD).await;
    assert!(matches!(next, Err(Failure::Unauthenticated { .. })));
}

#[tokio::test]
async fn mail_with_a_link_that_has_ended_is_not_sent() {
    let installation = Installation::new().await;
    let app = &installation.app;
    let organisation = installation.organisation.id;
    administrator(&installation, "owner@example.com").await;
    let proof = sign_in(app, "owner@example.com", PASSWORD).await.unwrap();
    let owner = visitor(app, &proof).await.unwrap();
    let waiting = async || -> Vec<String> {
        let due = app.due_letters().await.unwrap();
        due.iter().map(|due| due.letter.to.to_string()).collect()
    };
    let (removed, _) = app
        .invite_administrator(&owner, "removed@example.com".parse().unwrap(), Role::Admin)
        .await
        .unwrap();
    app.invite_administrator(&owner, "reset@example.com".parse().unwrap(), Role::Admin)
        .await
        .unwrap();
    assert_eq!(waiting().await.len(), 2);

    app.remove_administrator(&owner, removed.id).await.unwrap();
    let email = "reset@example.com".parse().unwrap();
    let way = WayIn::Link;
    app.reset_administrator(organisation, email, way, app.command_origin())
        .await
        .unwrap();

    // the letter with the latest link, and no other
    assert_eq!(waiting().await, ["reset@example.com"]);
    installation.clock.advance(SignedDuration::from_hours(25));
    assert_eq!(waiting().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_organisation_that_has_too_much_to_do_keeps_nobody_from_signing_in() {
    let installation = Installation::new().await;
    let app = &installation.app;
    let busy = installation.another().await;
    let (email, origin) = ("ann@example.com", app.command_origin());
    administrator(&installation, email).await;
    let way = WayIn::Password(Secret::new("another horse battery"));
    let created = app.create_administrator(busy.id, email.parse().unwrap(), way, origin);
    created.await.unwrap();

    let signed_in = installation.while_busy(busy.id, sign_in(app, email, PASSWORD));
    let proof = signed_in.await.unwrap();

    let ann = visitor(app, &proof).await.unwrap();
    assert_eq!(ann.organisation.id, installation.organisation.id);
}

#[tokio::test]
async fn an_organisation_that_is_named_is_looked_at_first_however_many_there_are() {
    let installation = Installation::new().await;
    let app = &installation.app;
    administrator(&installation, "ann@example.com").await;
    for number in 0..ACCOUNTS {
        let new = crate::organisations::NewOrganisation {
            slug: format!("other-{number}").parse().unwrap(),
            name: "Other".to_owned(),
            region: None,
            seats: None,
            trial_until: None,
        };
        let other = app.create_organisation(new).await.unwrap().id;
        let email = "ann@example.com".parse().unwrap();
        let way = WayIn::Password(Secret::new(PASSWORD));
        let created = app.create_administrator(other, email, way, app.command_origin());
        created.await.unwrap();
    }

    let others = (0..ACCOUNTS).map(|number| format!("other-{number}"));
    for slug in others.chain(["vault".to_owned()]) {
        let attempt = Attempt {
            email: "ann@example.com".parse().unwrap(),
            password: Secret::new(PASSWORD),
            organisation: Some(slug.parse().unwrap()),
            knock: knock(app),
        };
        let SignIn::Begun(proof) = app.sign_in(attempt).await.unwrap() else {
            panic!("one is named");
        };
        let ann = visitor(app, &proof).await.unwrap();
        assert_eq!(ann.organisation.slug.as_str(), slug);
    }
}
