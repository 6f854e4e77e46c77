//! Who may see and do what: every route of the console, from its own table, with every role; and every form from everywhere.

use rollcall_console::route_table;
use rollcall_model::{Permission, Role};
use rollcall_web::table::{Needs, Policy, Route};

use super::guest::{Guest, PASSWORD, administrator, encoded};
use crate::access::{NOBODY, page};
use crate::support::{Installation, Server};

/// Every page and form, with what it needs.
fn pages() -> impl Iterator<Item = (Route, Needs)> {
    let routes = route_table().into_iter();
    routes.filter_map(|route| match route.policy {
        Policy::Console(needs) => Some((route, needs)),
        _ => None,
    })
}

/// An organisation with an administrator of each role, by address `ROLE@example.com`.
async fn with_roles() -> (Installation, Server) {
    let (installation, _) = Installation::with("vault");
    administrator(&installation, "vault", "owner@example.com");
    for role in ["admin", "helpdesk", "auditor"] {
        administrator(&installation, "vault", &format!("{role}@example.com"));
    }
    let server = installation.serve(&[]);
    let mut owner = Guest::new(&server);
    owner.sign_in("owner@example.com", PASSWORD).await.is(303);
    let page = owner.get("/settings/security").await.is(200);
    for role in ["helpdesk", "auditor"] {
        // the row of an address begins with the link to its page
        let before = page
            .body
            .split(&format!("{role}@example.com"))
            .next()
            .unwrap();
        let id = before.rsplit("administrators/").next().unwrap();
        let id = id.split('"').next().unwrap();
        let action = format!("/settings/security/administrators/{id}/role");
        let fields = [("role", role)];
        owner
            .submit("/settings/security", &action, &fields)
            .await
            .is(303);
    }
    (installation, server)
}

#[tokio::test]
async fn nothing_is_shown_or_done_without_a_session() {
    let (installation, _) = Installation::with("vault");
    let server = installation.serve(&[]);
    for (route, needs) in pages() {
        let path = page(&route.path);
        let mut guest = Guest::new(&server);
        let answer = if route.method == "GET" {
            guest.get(&path).await
        } else {
            guest.submit("/signin", &path, &[]).await
        };
        if needs == Needs::Nothing {
            assert!(answer.status < 500, "{path}: {}", answer.status);
        } else {
            assert_eq!(answer.status, 303, "{} {path}", route.method);
            assert!(
                answer.to().starts_with("/signin"),
                "{path}: {}",
                answer.to()
            );
        }
    }
}

#[tokio::test]
async fn each_role_may_what_its_permissions_say_and_no_more() {
    let (_installation, server) = with_roles().await;
    for role in Role::ALL {
        let email = format!("{}@example.com", role.word());
        let mut fresh = Guest::new(&server);
        fresh.sign_in(&email, PASSWORD).await.is(303);
        let mut guest = fresh.clone();
        for (route, needs) in pages() {
            let permission = match needs {
                Needs::Role(permission) | Needs::Fresh(permission) => permission,
                Needs::Nothing | Needs::Begun | Needs::Session => continue,
            };
            let path = page(&route.path);
            let answer = if route.method == "GET" {
                guest.get(&path).await
            } else {
                guest.submit("/settings/security", &path, &[]).await
            };
            let allowed = role.may(permission);
            let refused = answer.status == 403 && answer.body.contains("may not");
            assert_eq!(
                !refused, allowed,
                "{} {path} as {role:?}: {} {}",
                route.method, answer.status, answer.body
            );
            assert!(
                answer.status < 500,
                "{} {path}: {}",
                route.method,
                answer.body
            );
            if guest.get("/settings/security").await.status != 200 {
                // what was sent has ended the session
                guest = Guest::new(&server);
                guest.sign_in(&email, PASSWORD).await.is(303);
            }
        }
    }
}

/// A token, a header that says where the form comes from, and what is wrong with them.
type Case<'c> = (&'c str, Option<(&'c str, &'c str)>, &'c str);

#[tokio::test]
async fn a_form_is_taken_from_this_site_and_this_session_alone() {
    let (_installation, server) = with_roles().await;
    let signed_in = async || {
        let mut guest = Guest::new(&server);
        guest.sign_in("owner@example.com", PASSWORD).await.is(303);
        guest
    };
    let (mut guest, mut other) = (signed_in().await, signed_in().await);
    let own = guest.get("/settings/security").await.token();
    let foreign = other.get("/settings/security").await.token();
    assert_ne!(own, foreign);
    let base = server.url.clone();
    let cases: [Case<'_>; 6] = [
        ("", Some(("origin", &base)), "no token"),
        ("wrong", Some(("origin", &base)), "a wrong token"),
        (&foreign, Some(("origin", &base)), "another session's token"),
        (
            &own,
            Some(("origin", "https://evil.example")),
            "another site",
        ),
        (&own, None, "nobody says from where"),
        (
            &own,
            Some(("sec-fetch-site", "cross-site")),
            "the browser says from elsewhere",
        ),
    ];
    for (route, _) in pages().filter(|(route, _)| route.method == "POST") {
        let path = page(&route.path);
        for (token, header, what) in cases {
            let mut request = guest
                .request("POST", &path)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(encoded(&[("csrf", token)]));
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            let answer = guest.send(request).await;
            assert_eq!(answer.status, 403, "{path}, {what}: {}", answer.body);
        }
    }
    assert_eq!(
        guest.get("/settings/security").await.status,
        200,
        "nothing happened"
    );
}

#[tokio::test]
async fn every_page_forbids_what_it_does_not_need() {
    let (_installation, server) = with_roles().await;
    let mut guest = Guest::new(&server);
    guest.sign_in("owner@example.com", PASSWORD).await.is(303);
    for (route, _) in pages().filter(|(route, _)| route.method == "GET") {
        let path = page(&route.path);
        let page = guest.get(&path).await;
        let header = |name: &str| {
            page.headers
                .get(name)
                .map_or("", |value| value.to_str().unwrap())
        };
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        if header("content-type").starts_with("text/html") {
            let policy = header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'"), "{path}");
            assert!(!policy.contains("unsafe"), "{path}");
            assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
            assert_eq!(
                header("cross-origin-opener-policy"),
                "same-origin",
                "{path}"
            );
        }
    }
    assert!(
        pages().any(|(route, needs)| needs == Needs::Role(Permission::Read) && route.path == "/")
    );
}

#[tokio::test]
async fn a_long_form_is_read_of_those_only_who_may_send_it() {
    let (_installation, server) = with_roles().await;
    let upload = format!("/applications/{NOBODY}/schema");
    let stranger = Guest::new(&server);
    let (mut auditor, mut owner) = (Guest::new(&server), Guest::new(&server));
    auditor
        .sign_in("auditor@example.com", PASSWORD)
        .await
        .is(303);
    owner.sign_in("owner@example.com", PASSWORD).await.is(303);
    let security = "/settings/security";
    let kib = |many: usize| "x".repeat(many * 1024);

    for (guest, page, action, length, limit) in [
        (&stranger, "/signin", "/signin", 70, Some(64)),
        (&stranger, "/signin", &*upload, 70, Some(64)),
        (&auditor, security, &upload, 70, Some(64)),
        (&auditor, security, "/me/name", 70, None),
        (&owner, security, "/me/name", 1_030, Some(1_024)),
        (&owner, security, &upload, 2_000, None),
        (&owner, security, &upload, 8_200, Some(8_192)),
    ] {
        let text = kib(length);
        let answer = guest
            .clone()
            .submit(page, action, &[("document", &text)])
            .await;

        let shown = format!("{action}, {length}: {} {}", answer.status, answer.body);
        let refused = answer.body.contains("KiB that this form may have");
        assert_eq!(refused, limit.is_some(), "{shown}");
        if let Some(limit) = limit {
            assert_eq!(answer.status, 400, "{shown}");
            let said = format!("more than the {limit} KiB");
            assert!(answer.body.contains(&said), "{shown}");
        }
    }
}
