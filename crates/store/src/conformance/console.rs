//! What the console relies on: sessions, traffic, tallies, mail, plans.

use rollcall_model::activation::{Activation, Invitation, Vault};
use rollcall_model::application::Application;
use rollcall_model::plan::{PlanRecord, PlanState};
use rollcall_model::traffic::{Hour, KEPT};
use rollcall_model::{
    Actor, AdminId, Administrator, ApplicationId, Exchange, Integration, IntegrationId,
    IntegrationKind, Kind, RequestId, ResourceId, Role, Session, SessionId, Stage, session,
};
use serde_json::json;

use super::listing::{EVERYTHING, all};
use super::{DICE, at, change, organisation, origin, person};
use crate::{
    AuditQuery, DataKey, Error, ExchangeQuery, NewAudit, Paging, SecondFactor, Store, Tenant,
};

async fn administrator(tenant: &Tenant, email: &str) -> AdminId {
    let administrator = Administrator {
        id: AdminId::new(at(0), &DICE),
        email: email.parse().unwrap(),
        name: None,
        role: Role::Owner,
        created: at(0),
        signed_in: None,
    };
    let id = administrator.id;
    change(tenant, move |writer| {
        writer.insert_administrator(&administrator)
    })
    .await;
    id
}

fn session_of(administrator: AdminId) -> Session {
    Session {
        id: SessionId::new(at(0), &DICE),
        administrator,
        stage: Stage::Full,
        created: at(0),
        seen: at(0),
        proven: at(0),
        address: None,
        agent: None,
    }
}

/// A session is found by its digest in its organisation, and ends when it is ended, when it has grown old, and with its owner.
pub async fn sessions_are_found_by_digest_and_end(store: Store) {
    let (tenant, other) = (
        organisation(&store, "one").await,
        organisation(&store, "two").await,
    );
    let ann = administrator(&tenant, "ann@example.com").await;
    let sessions = [session_of(ann), session_of(ann), session_of(ann)];
    let saved = sessions.clone();
    change(&tenant, move |writer| {
        for (digest, session) in (1..).zip(&saved) {
            writer.save_session(session, &[digest; 32], at(0))?;
        }
        Ok(())
    })
    .await;

    let found = async |tenant: &Tenant, digest: u8| {
        tenant
            .read::<_, Error, _>(move |reader| reader.session(&[digest; 32]))
            .await
            .unwrap()
    };
    assert_eq!(found(&tenant, 1).await.as_ref(), Some(&sessions[0]));
    assert_eq!(found(&other, 1).await, None);

    let (first, second) = (sessions[0].id, sessions[1].id);
    let ended = tenant
        .write::<_, Error, _>(move |writer| {
            let ended = writer.end_session(ann, first)?;
            writer.end_sessions(ann, Some(second))?;
            Ok((ended, writer.end_session(ann, first)?))
        })
        .await;
    assert_eq!(ended.unwrap(), (true, false));
    let left = tenant
        .read::<_, Error, _>(move |reader| reader.sessions(ann))
        .await;
    assert_eq!(left.unwrap(), [sessions[1].clone()]);

    let later = at(session::ABSOLUTE.as_secs());
    let fresh = Session {
        created: later,
        ..session_of(ann)
    };
    change(&tenant, move |writer| {
        writer.save_session(&fresh, &[9; 32], later)
    })
    .await;
    assert_eq!(found(&tenant, 2).await, None, "it has grown old");
    change(&tenant, move |writer| writer.remove_administrator(ann)).await;
    assert_eq!(found(&tenant, 9).await, None, "its owner is gone");
}

/// A recovery code is good once; without the second factor there are none.
pub async fn a_recovery_code_is_good_once(store: Store) {
    let tenant = organisation(&store, "one").await;
    let ann = administrator(&tenant, "ann@example.com").await;
    let factor = SecondFactor {
        sealed_secret: vec![1, 2],
        since: at(1),
        last_step: 7,
    };
    let saved = factor.clone();
    let told = tenant
        .write::<_, Error, _>(move |writer| {
            writer.save_second_factor(ann, Some(&saved))?;
            writer.save_recovery_codes(ann, &[[1; 32], [2; 32]])?;
            Ok((
                writer.use_recovery_code(ann, &[1; 32])?,
                writer.use_recovery_code(ann, &[1; 32])?,
                writer.recovery_codes(ann)?,
            ))
        })
        .await;
    assert_eq!(told.unwrap(), (true, false, 1));
    let read = async |tenant: &Tenant| {
        tenant
            .read::<_, Error, _>(move |reader| {
                Ok((reader.second_factor(ann)?, reader.recovery_codes(ann)?))
            })
            .await
            .unwrap()
    };
    assert_eq!(read(&tenant).await, (Some(factor), 1));
    change(&tenant, move |writer| writer.save_second_factor(ann, None)).await;
    assert_eq!(read(&tenant).await, (None, 0));
}

pub(super) fn exchange(integration: Option<IntegrationId>, status: u16, second: i64) -> Exchange {
    Exchange {
        request: RequestId::new(at(0), &DICE),
        at: at(second),
        took: 5,
        integration,
        token: None,
        address: None,
        agent: None,
        method: "GET".to_owned(),
        path: "/Users".to_owned(),
        status,
        asked: None,
        answered: None,
    }
}

/// Exchanges are found by integration, failure and request, are counted by the hour, and only the latest are kept.
pub async fn exchanges_are_counted_and_the_oldest_go(store: Store) {
    let tenant = organisation(&store, "one").await;
    let one = IntegrationId::new(at(0), &DICE);
    let first = [
        exchange(Some(one), 200, 0),
        exchange(Some(one), 500, 1),
        exchange(None, 401, 3_600),
    ];
    let saved = first.clone();
    change(&tenant, move |writer| writer.append_exchanges(&saved)).await;
    let hour = |integration, requests, second| Hour {
        from: at(second),
        integration,
        requests,
        failed: 1,
    };
    for hours in [
        vec![hour(Some(one), 1, 0)],
        vec![hour(Some(one), 3, 3_599), hour(None, 1, 3_600)],
    ] {
        change(&tenant, move |writer| writer.count_traffic(&hours)).await;
    }

    let request = first[1].request;
    tenant
        .read::<_, Error, _>(move |reader| {
            let places = |query| -> Result<Vec<u64>, Error> {
                let found = reader.exchanges(query, 10)?;
                Ok(found.into_iter().map(|(place, _)| place).collect())
            };
            let all = ExchangeQuery::default();
            assert_eq!(places(all)?, [3, 2, 1]);
            let of = |of| ExchangeQuery {
                of: Some(of),
                ..all
            };
            assert_eq!(places(of(Some(one)))?, [2, 1]);
            assert_eq!(places(of(None))?, [3]);
            let failed = ExchangeQuery {
                failed: true,
                before: Some(3),
                ..all
            };
            assert_eq!(places(failed)?, [2]);
            assert_eq!(reader.exchange(request)?, Some(first[1].clone()));
            assert_eq!(reader.first_exchange(one)?, Some(first[0].clone()));
            let hours = reader.traffic(at(0))?;
            let counted: Vec<_> = hours
                .iter()
                .map(|hour| (hour.integration, hour.requests, hour.failed))
                .collect();
            assert_eq!(counted, [(Some(one), 4, 2), (None, 1, 1)]);
            Ok(())
        })
        .await
        .unwrap();

    let many = vec![exchange(Some(one), 200, 2); usize::try_from(KEPT).unwrap()];
    change(&tenant, move |writer| writer.append_exchanges(&many)).await;
    let oldest = tenant
        .read::<_, Error, _>(move |reader| reader.first_exchange(one))
        .await;
    assert_eq!(oldest.unwrap().unwrap().at, at(2));
}

/// The audit log is found by action, noun, object, actor and time; every day's actions are counted.
pub async fn what_is_done_is_tallied_and_found_again(store: Store) {
    let tenant = organisation(&store, "one").await;
    let entry = |action, object: &str, actor: Actor| NewAudit {
        origin: rollcall_model::Origin { actor, ..origin() },
        action,
        object: object.to_owned(),
        detail: json!({}),
    };
    let day = at(0).as_second().div_euclid(86_400);
    let entries = [
        (0, entry("user.created", "ann", Actor::Command)),
        (1, entry("user.created", "bob", Actor::System)),
        (2, entry("user.disabled", "ann", Actor::System)),
        (86_400, entry("users.odd", "ann", Actor::System)),
        // the clock was set back
        (2, entry("user.created", "cat", Actor::System)),
    ];
    change(&tenant, move |writer| {
        for (second, entry) in &entries {
            writer.append_audit(at(*second), entry)?;
        }
        Ok(())
    })
    .await;
    tenant
        .read::<_, Error, _>(move |reader| {
            let places = |query: AuditQuery| -> Result<Vec<u64>, Error> {
                let found = reader.audit_where(&query, 10)?;
                Ok(found.into_iter().map(|entry| entry.sequence).collect())
            };
            let all = AuditQuery::default;
            // the first entry tells of the founding
            assert_eq!(places(all())?, [5, 6, 4, 3, 2, 1], "in order of time");
            let action = |text: &str| AuditQuery {
                action: Some(text.to_owned()),
                ..all()
            };
            assert_eq!(places(action("user."))?, [6, 4, 3, 2]);
            assert_eq!(places(action("user.created"))?, [6, 3, 2]);
            for (before, rest) in [(6, &[4, 3, 2][..]), (4, &[3, 2]), (3, &[2]), (2, &[])] {
                let query = AuditQuery {
                    before: Some(before),
                    ..action("user.")
                };
                assert_eq!(places(query)?, rest, "before {before}");
            }
            let by_system = AuditQuery {
                actor: Some("system".to_owned()),
                to: Some(at(2)),
                ..action("user.")
            };
            assert_eq!(places(by_system)?, [3]);
            let never = AuditQuery {
                actor: Some("command".to_owned()),
                ..action("users.odd")
            };
            assert_eq!(places(never)?, [0; 0]);
            let ann = AuditQuery {
                object: Some("ann".to_owned()),
                before: Some(5),
                ..all()
            };
            assert_eq!(places(ann)?, [4, 2]);
            let by_command = AuditQuery {
                actor: Some("command".to_owned()),
                ..all()
            };
            assert_eq!(places(by_command)?, [2]);
            let then = AuditQuery {
                from: Some(at(1)),
                to: Some(at(2)),
                ..all()
            };
            assert_eq!(places(then)?, [3]);
            let tallies = reader.tallies(day, day)?;
            let users: Vec<_> = tallies
                .iter()
                .filter(|tally| tally.action.starts_with("user."))
                .map(|tally| (tally.action.as_str(), tally.actor.as_str(), tally.count))
                .collect();
            assert_eq!(
                users,
                [
                    ("user.created", "command", 1),
                    ("user.created", "system", 2),
                    ("user.disabled", "system", 1)
                ]
            );
            Ok(())
        })
        .await
        .unwrap();
}

/// Mail waits until it is due, is put off, and is forgotten when it was sent.
pub async fn mail_waits_until_it_is_sent(store: Store) {
    let tenant = organisation(&store, "one").await;
    change(&tenant, |writer| {
        writer.queue_mail(at(5), &|_| b"late".to_vec())?;
        writer.queue_mail(at(1), &|sequence| {
            assert_eq!(sequence, 2);
            b"soon".to_vec()
        })
    })
    .await;
    let due = async |tenant: &Tenant, second| {
        let mail = tenant
            .read::<_, Error, _>(move |reader| reader.due_mail(at(second), at(second + 100), 10))
            .await;
        let mail = mail.unwrap();
        mail.into_iter()
            .map(|mail| (mail.sequence, mail.attempts, mail.sealed))
            .collect::<Vec<_>>()
    };
    let waiting = async |tenant: &Tenant| {
        let many = tenant.read::<_, Error, _>(|reader| reader.waiting_mail());
        many.await.unwrap()
    };
    let other = organisation(&store, "other").await;
    assert_eq!((waiting(&tenant).await, waiting(&other).await), (2, 0));
    assert_eq!(due(&tenant, 1).await, [(2, 0, b"soon".to_vec())]);
    change(&tenant, |writer| writer.defer_mail(2, at(9))).await;
    assert_eq!(due(&tenant, 5).await, [(1, 0, b"late".to_vec())]);
    change(&tenant, |writer| writer.remove_mail(1)).await;
    assert_eq!(due(&tenant, 9).await, [(2, 1, b"soon".to_vec())]);
    // what nobody can have put off so far was put off by a clock that was wrong
    change(&tenant, |writer| writer.defer_mail(2, at(109))).await;
    assert_eq!(due(&tenant, 9).await, []);
    change(&tenant, |writer| writer.defer_mail(2, at(110))).await;
    assert_eq!(due(&tenant, 9).await, [(2, 3, b"soon".to_vec())]);
    assert_eq!(waiting(&tenant).await, 1);
}

/// Plans of an application are numbered; what became of them is stored beside their bytes.
pub async fn plans_have_numbers(store: Store) {
    let tenant = organisation(&store, "one").await;
    let application = Application::new(ApplicationId::new(at(0), &DICE), "Vault".to_owned(), at(0));
    let id = application.id;
    let record = PlanRecord {
        number: 0,
        at: at(0),
        by: Actor::Command,
        state: PlanState::Making,
        digest: String::new(),
    };
    let numbers = tenant
        .write::<_, Error, _>(move |writer| {
            writer.save_application(&application)?;
            let numbers = (writer.add_plan(id, &record)?, writer.add_plan(id, &record)?);
            let ready = PlanRecord {
                number: 2,
                state: PlanState::Ready,
                ..record
            };
            writer.save_plan(id, &ready, Some(b"a plan"))?;
            writer.save_plan(id, &ready, None)?;
            writer.save_plan_page(id, 2, 0, b"its head")?;
            Ok(numbers)
        })
        .await;
    assert_eq!(numbers.unwrap(), (1, 2));
    tenant
        .read::<_, Error, _>(move |reader| {
            let states: Vec<_> = reader.plans(id)?;
            let states: Vec<_> = states.into_iter().map(|p| (p.number, p.state)).collect();
            assert_eq!(states, [(2, PlanState::Ready), (1, PlanState::Making)]);
            assert_eq!(reader.plan(id, 2)?, Some(b"a plan".to_vec()));
            assert_eq!(reader.plan(id, 3)?, None);
            assert_eq!(reader.plan_page(id, 2, 0)?, Some(b"its head".to_vec()));
            assert_eq!(reader.plan_page(id, 2, 1)?, None);
            assert_eq!(reader.plan_page(id, 1, 0)?, None);
            Ok(())
        })
        .await
        .unwrap();
}

/// The keys that seal belong to one organisation; what is not in any is kept once, and replaced by whoever knows what was there.
pub async fn keys_that_seal_are_kept_and_replaced(store: Store) {
    let (one, two) = (
        organisation(&store, "one").await,
        organisation(&store, "two").await,
    );
    let key = |number, sealed: &[u8]| DataKey {
        number,
        since: at(number.cast_signed()),
        sealed: sealed.to_vec(),
    };
    let (first, second, again) = (key(1, b"one"), key(2, b"two"), key(1, b"again"));
    for key in [first, second.clone(), again.clone()] {
        change(&one, move |writer| writer.save_data_key(&key)).await;
    }
    let keys = async |tenant: &Tenant| {
        let keys = tenant.read::<_, Error, _>(|reader| reader.data_keys());
        keys.await.unwrap()
    };
    assert_eq!(keys(&one).await, [second.clone(), again]);
    assert_eq!(keys(&two).await, []);
    change(&one, |writer| writer.remove_data_key(1)).await;
    assert_eq!(keys(&one).await, [second]);

    let kept = store.installation_secret("of tests", b"a".to_vec()).await;
    assert_eq!(kept.unwrap(), b"a");
    let kept = store.installation_secret("of tests", b"b".to_vec()).await;
    assert_eq!(kept.unwrap(), b"a");
    let stale = store.replace_installation_secret("of tests", b"b", b"c");
    assert!(matches!(stale.await, Err(Error::Stale)));
    let replaced = store.replace_installation_secret("of tests", b"a", b"c");
    replaced.await.unwrap();
    let all = store.installation_secrets().await.unwrap();
    assert_eq!(all, [("of tests".to_owned(), b"c".to_vec())]);
}

/// Who signs in is found by address, in whichever organisation.
pub async fn a_foreign_administrator_is_found_by_address(store: Store) {
    let (one, two) = (
        organisation(&store, "one").await,
        organisation(&store, "two").await,
    );
    let mut ids = vec![
        administrator(&one, "ann@example.com").await,
        administrator(&two, "Ann@example.com").await,
    ];
    administrator(&two, "bob@example.com").await;

    let found = store.administrators_called("ann@example.com").await;
    let mut found: Vec<AdminId> = found.unwrap().into_iter().map(|(_, id)| id).collect();
    found.sort();
    ids.sort();
    assert_eq!(found, ids);
}

/// Objects are counted by the integration that manages them, or by none.
pub async fn managed_objects_are_counted(store: Store) {
    let tenant = organisation(&store, "one").await;
    let integration = Integration {
        id: IntegrationId::new(at(0), &DICE),
        kind: IntegrationKind::Entra,
        seen: rollcall_model::integration::Seen::default(),
        created: at(0),
    };
    let id = integration.id;
    change(&tenant, move |writer| {
        writer.insert_integration(&integration)?;
        for (name, active, managed_by) in [
            ("ann", true, Some(id)),
            ("bob", false, Some(id)),
            ("cid", true, None),
        ] {
            let mut entry = person(name, json!({"active": active}));
            entry.managed_by = managed_by;
            writer.insert(&entry)?;
        }
        Ok(())
    })
    .await;
    tenant
        .read::<_, Error, _>(move |reader| {
            let managed = reader.managed(Some(id))?;
            assert_eq!((managed.users, managed.active_users), (2, 1));
            let unmanaged = reader.managed(None)?;
            assert_eq!((unmanaged.users, unmanaged.active_users), (1, 1));
            let object = reader.named(Kind::User, "ann")?.unwrap();
            assert!(
                reader
                    .object_changes(Kind::User, object, None, 5)?
                    .is_empty()
            );
            Ok(())
        })
        .await
        .unwrap();
}

/// What an integration manages, or none does, is listed with every filter and page by page.
pub async fn managed_objects_are_listed(store: Store) {
    let tenant = organisation(&store, "one").await;
    let id = IntegrationId::new(at(0), &DICE);
    let mut mine = Vec::new();
    change(&tenant, move |writer| {
        for n in 0..30 {
            let body = json!({"active": n % 4 != 0, "displayName": format!("Person {n}")});
            let mut entry = person(&format!("user{n}"), body);
            entry.managed_by = (n % 3 == 0).then_some(id);
            writer.insert(&entry)?;
        }
        Ok(())
    })
    .await;
    for filter in [
        None,
        Some("active eq false"),
        Some("userName sw \"user1\" or displayName sw \"person 2\""),
        Some("title pr"),
    ] {
        for managed_by in [Some(id), None] {
            let whole = all(filter, EVERYTHING);
            let page = move |after| {
                all(
                    filter,
                    Paging::After {
                        id: after,
                        count: 3,
                    },
                )
            };
            let (whole, paged) = tenant
                .read::<_, Error, _>(move |reader| {
                    let whole = reader.list(Kind::User, &whole)?;
                    let mut expected = Vec::new();
                    for raw in whole.resources {
                        let entry = reader.entry(Kind::User, raw.id)?;
                        if entry.is_some_and(|entry| entry.managed_by == managed_by) {
                            expected.push(raw.id);
                        }
                    }
                    let (mut paged, mut after) = (Vec::new(), None);
                    loop {
                        let listing = reader.list_managed(Kind::User, managed_by, &page(after))?;
                        paged.extend(listing.resources.iter().map(|raw| raw.id));
                        after = paged.last().copied();
                        if !listing.more {
                            return Ok((expected, paged));
                        }
                    }
                })
                .await
                .unwrap();
            assert_eq!(whole, paged, "{filter:?} {managed_by:?}");
            mine.extend(paged);
        }
    }
    assert!(mine.len() >= 30);
}

fn invitation(digest: u8, expires: i64) -> Invitation {
    Invitation {
        digest: [digest; 32],
        expires: at(expires),
        address: "ann@example.com".parse().unwrap(),
        salt: "salt".to_owned(),
    }
}

/// An activation is found by person and by the digest of its link, in its organisation, until it is removed; who is active, managed, and
/// neither invited nor activated is listed.
pub async fn an_activation_is_found_by_person_and_by_link(store: Store) {
    let (tenant, other) = (
        organisation(&store, "one").await,
        organisation(&store, "two").await,
    );
    let by = IntegrationId::new(at(0), &DICE);
    change(&tenant, move |writer| {
        for (name, active, managed_by) in [
            ("ann", true, Some(by)),
            ("bob", true, Some(by)),
            ("cid", true, Some(by)),
            ("dan", false, Some(by)),
            ("eve", true, None),
        ] {
            let mut entry = person(name, json!({"active": active}));
            entry.managed_by = managed_by;
            writer.insert(&entry)?;
        }
        Ok(())
    })
    .await;
    let uninvited = async |second, after, count| -> Vec<ResourceId> {
        let unit = tenant
            .read::<_, Error, _>(move |reader| reader.uninvited(by, at(second), after, count));
        unit.await.unwrap()
    };
    let everybody = uninvited(0, None, 9).await;
    assert_eq!(everybody.len(), 3);
    assert_eq!(
        uninvited(0, Some(everybody[0]), 1).await,
        [everybody[1]],
        "page by page"
    );
    let (ann, bob) = (everybody[0], everybody[1]);
    let invited = Activation {
        sent: vec![at(1)],
        link: Some(invitation(7, 100)),
        ..Activation::new(ann, at(1))
    };
    let mut active = Activation::new(bob, at(1));
    active.activate(Vault {
        since: at(2),
        derivation: "d".to_owned(),
        rounds: 1,
        salt: "s".to_owned(),
        verifier: "v".to_owned(),
        wrapped_key: "w".to_owned(),
    });
    let saved = [invited.clone(), active.clone()];
    change(&tenant, move |writer| {
        for activation in &saved {
            writer.save_activation(activation)?;
        }
        Ok(())
    })
    .await;

    let by_link = async |tenant: &Tenant, digest: u8| {
        tenant
            .read::<_, Error, _>(move |reader| reader.activation_by_link(&[digest; 32]))
            .await
            .unwrap()
    };
    assert_eq!(by_link(&tenant, 7).await.as_ref(), Some(&invited));
    assert_eq!(by_link(&other, 7).await, None);
    assert_eq!(by_link(&tenant, 8).await, None);
    let read = async |person| {
        tenant
            .read::<_, Error, _>(move |reader| reader.activation(person))
            .await
            .unwrap()
    };
    assert_eq!(read(bob).await, Some(active));
    assert_eq!(uninvited(99, None, 9).await, [everybody[2]]);
    assert_eq!(
        uninvited(100, None, 9).await,
        [ann, everybody[2]],
        "the link is too old"
    );

    let renewed = Activation {
        link: Some(invitation(8, 200)),
        ..invited
    };
    change(&tenant, move |writer| writer.save_activation(&renewed)).await;
    assert_eq!(by_link(&tenant, 7).await, None, "replaced");
    change(&tenant, move |writer| {
        writer.remove_activation(ann)?;
        writer.remove_activation(ann)
    })
    .await;
    assert_eq!(
        (read(ann).await, by_link(&tenant, 8).await),
        (None, None),
        "removed"
    );
}
