//! A path has one spelling. Whatever else might be read as one of our paths is refused before it is compared with a route.

use super::raw::{Reply, sent};
use super::{filled, routes};
use crate::console::guest::{Guest, PASSWORD, administrator};
use crate::support::Installation;

/// Returns other spellings of a path, with what is done to it.
fn spellings(path: &str) -> Vec<(&'static str, String)> {
    let (head, last) = path.rsplit_once('/').unwrap();
    let start = if head.is_empty() { "/" } else { head };
    let bare = match path.trim_end_matches('/') {
        "" => "/",
        bare => bare,
    };
    let mut all = vec![
        ("a slash twice at the beginning", format!("/{path}")),
        ("a slash twice", format!("{head}//{last}")),
        ("a dot segment", format!("{head}/./{last}")),
        ("a dot segment at the end", format!("{bare}/.")),
        ("two dots", format!("/x/..{path}")),
        ("two dots at the end", format!("{bare}/x/..")),
        ("encoded dots", format!("/x/%2e%2e{path}")),
        ("a path parameter", format!("{bare};x")),
        ("a path parameter within", format!("/;x{path}")),
        ("an encoded slash", format!("{start}%2f{last}")),
        ("an encoded backslash", format!("{start}%5c{last}")),
        ("an encoded percent sign", format!("{bare}%25")),
        ("an encoded NUL", format!("{bare}%00")),
        ("half an encoding", format!("{bare}%4")),
    ];
    if let Some(at) = path.find(|letter: char| letter.is_ascii_alphanumeric()) {
        let letter = path.as_bytes()[at];
        let encoded = format!("{}%{letter:02x}{}", &path[..at], &path[at + 1..]);
        all.push(("an encoded letter", encoded));
        all.push(("upper case", path.to_uppercase()));
    }
    all
}

#[tokio::test]
async fn no_other_spelling_of_any_path_is_served_whoever_asks() {
    let (installation, token) = Installation::with("vault");
    administrator(&installation, "vault", "owner@example.com");
    let server = installation.serve(&[("ROLLCALL_RATE", "100000")]);
    let scim = server.scim("vault", &token);
    let user = scim.person("ann@example.com").await;
    let group = scim.group("Team", &[&user]).await;
    let mut owner = Guest::new(&server);
    owner.sign_in("owner@example.com", PASSWORD).await.is(303);
    let (host, cookie) = (
        server.url.trim_start_matches("http://"),
        &owner.cookies["rollcall_session"],
    );
    let headers: Vec<(String, String)> = [
        ("authorization", format!("Bearer {token}")),
        ("cookie", format!("rollcall_session={cookie}")),
        ("content-type", "application/scim+json".to_owned()),
        ("sec-fetch-site", "same-origin".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let mut compared = 0;
    for route in routes() {
        let path = filled(&route, &user, &group);
        for (what, spelling) in spellings(&path) {
            let reply = sent(host, route.method.as_str(), &spelling, &headers, "{}").await;

            let shown = format!("{} {spelling}, {what}: {reply:?}", route.method);
            assert_eq!(reply.status, 404, "{shown}");
            assert!(is_formed(&spelling, &reply), "{shown}");
            assert_eq!(reply.header("set-cookie"), "", "{shown}");
            compared += 1;
        }
    }
    assert!(compared > 2_000, "{compared}");
    // nothing was done by any of them
    scim.get(&format!("/Users/{user}")).await.is(200);
    scim.get(&format!("/Groups/{group}")).await.is(200);
    owner.get("/").await.is(200);
}

/// Tells whether a refusal has the form of the surface below which its path is.
fn is_formed(path: &str, reply: &Reply) -> bool {
    if path.starts_with("/scim/") {
        reply.is_scim_error()
    } else if path.starts_with("/api/") {
        reply.is_problem()
    } else {
        // health says nothing but the status
        reply.is_page() || reply.body.is_empty()
    }
}
