//! Every route, with everything that somebody may bring: the answer is the one that the route declares.

use std::time::Duration;

use rollcall_model::{ApiKey, KeyRole, ProvisioningToken};
use rollcall_web::table::{Needs, Policy, Route};

use super::raw::{Reply, sent};
use super::{filled, routes};
use crate::console::guest::{Guest, PASSWORD, administrator};
use crate::support::{Installation, Server};

/// What somebody brings.
struct Credential {
    what: &'static str,
    headers: Vec<(String, String)>,
    query: String,
    /// What it is worth.
    worth: Worth,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worth {
    Nothing,
    /// It is the token of an integration of the organisation.
    Bearer,
    /// Likewise, but in another region.
    Elsewhere,
    /// It is the session of an owner.
    Session,
    /// It is an API key of the organisation, with this role.
    Key(KeyRole),
    /// Likewise, but in another region.
    KeyElsewhere,
}

impl Credential {
    fn new(what: &'static str, worth: Worth) -> Self {
        Self {
            what,
            headers: Vec::new(),
            query: String::new(),
            worth,
        }
    }

    fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn query(self, query: String) -> Self {
        Self { query, ..self }
    }

    fn session(self, cookie: &str) -> Self {
        self.header("cookie", format!("rollcall_session={cookie}"))
    }
}

/// A server with two organisations.
struct House {
    _installation: Installation,
    server: Server,
    figures: String,
    user: String,
    group: String,
    credentials: Vec<Credential>,
    /// What binds a form to a browser without a session, and the form's token.
    visit: (String, String),
}

/// Returns the session of an administrator.
async fn session(server: &Server, email: &str) -> String {
    let mut guest = Guest::new(server);
    guest.sign_in(email, PASSWORD).await.is(303);
    guest.cookies["rollcall_session"].clone()
}

impl House {
    async fn new() -> Self {
        let (installation, token) = Installation::with("vault");
        installation.ok(&["org", "create", "other", "--name", "Other"]);
        let foreign = installation.ok(&["token", "create", "--org", "other"]);
        let create = ["token", "create", "--org", "vault", "--integration"];
        let expired = installation.ok(&[&create[..], &["okta", "--expires", "1s"]].concat());
        let revoked = installation.ok(&[&create[..], &["ping"]].concat());
        let listed = installation.ok(&["token", "list", "--org", "vault", "--json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let id = listed
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["integration"] == "ping")
            .map(|row| row["id"].as_str().unwrap())
            .unwrap();
        installation.ok(&["token", "revoke", "--org", "vault", id]);
        let keys = keys(&installation);
        administrator(&installation, "vault", "owner@example.com");
        administrator(&installation, "other", "stranger@example.com");
        let link = installation.ok(&[
            "admin",
            "create",
            "--org",
            "vault",
            "--email",
            "new@example.com",
        ]);
        let (_, link) = link.split_once("token=").unwrap();
        let (server, said) = Server::start_telling(
            installation.folder.path(),
            "127.0.0.1:0",
            &[
                ("ROLLCALL_RATE", "100000"),
                ("ROLLCALL_METRICS_LISTEN", "127.0.0.1:0"),
                // each request comes from an address of its own, so that none is kept out by those before
                ("ROLLCALL_TRUSTED_PROXIES", "127.0.0.1"),
            ],
        );
        let figures = said
            .iter()
            .find_map(|line| line.split_once("figures  http://"))
            .map(|(_, rest)| rest.trim_end_matches("/metrics").to_owned());
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let scim = server.scim("vault", &token);
        let user = scim.person("ann@example.com").await;
        let group = scim.group("Team", &[&user]).await;
        let owner = session(&server, "owner@example.com").await;
        let stranger = session(&server, "stranger@example.com").await;
        let mut leaving = Guest::new(&server);
        leaving.sign_in("owner@example.com", PASSWORD).await.is(303);
        let ended = leaving.cookies["rollcall_session"].clone();
        leaving
            .submit("/settings/security", "/signout", &[])
            .await
            .is(303);
        let mut nobody = Guest::new(&server);
        let csrf = nobody.get("/signin").await.token();
        let visit = (nobody.cookies["rollcall_visit"].clone(), csrf);
        let elsewhere = ProvisioningToken::generate(
            "mars".parse().unwrap(),
            &rollcall_app::SystemRandomness::default(),
        );
        let secrets = Secrets {
            keys,
            token,
            foreign,
            expired,
            revoked,
            elsewhere: elsewhere.secret().expose().to_owned(),
            link: link.to_owned(),
            owner,
            stranger,
            ended,
        };
        Self {
            _installation: installation,
            server,
            figures: figures.unwrap(),
            user,
            group,
            credentials: credentials(&secrets),
            visit,
        }
    }

    /// Sends a request from an address that nobody has used.
    async fn ask(&self, number: usize, route: &Route, credential: &Credential) -> Reply {
        let mut headers = credential.headers.clone();
        let [_, a, b, c] = u32::try_from(number).unwrap().to_be_bytes();
        headers.push(("x-forwarded-for".into(), format!("10.{a}.{b}.{c}")));
        let kind = match route.policy {
            Policy::Bearer => Some("application/scim+json"),
            Policy::Key(_) => Some("application/json"),
            _ => None,
        };
        let body = if let Some(kind) = kind {
            headers.push(("content-type".into(), kind.into()));
            "{}".to_owned()
        } else {
            let (cookie, csrf) = &self.visit;
            headers.push((
                "content-type".into(),
                "application/x-www-form-urlencoded".into(),
            ));
            headers.push(("sec-fetch-site".into(), "same-origin".into()));
            headers.push(("cookie".into(), format!("rollcall_visit={cookie}")));
            format!("csrf={csrf}")
        };
        let method = route.method.as_str();
        let body = if method == "GET" { "" } else { &body };
        let host = match route.policy {
            Policy::Watchers => &*self.figures,
            _ => self.server.url.trim_start_matches("http://"),
        };
        let path = filled(route, &self.user, &self.group);
        let target = format!("{path}{}", credential.query);
        sent(host, method, &target, &headers, body).await
    }
}

/// API keys: what they are, how they stand, and their texts.
type Keys = Vec<(&'static str, Worth, String)>;

/// Makes API keys of every sort.
fn keys(installation: &Installation) -> Keys {
    let create = |org, more: &[&str]| {
        let create = ["api-key", "create", "--org", org, "--name", "a key"];
        installation.ok(&[&create[..], more].concat())
    };
    let elsewhere = ApiKey::generate(
        "mars".parse().unwrap(),
        &rollcall_app::SystemRandomness::default(),
    );
    let revoked = create("vault", &["--json", "--role", "manage"]);
    let revoked: serde_json::Value = serde_json::from_str(&revoked).unwrap();
    let id = revoked["id"].as_str().unwrap();
    installation.ok(&["api-key", "revoke", "--org", "vault", id]);
    let reads = create("vault", &[]);
    vec![
        (
            "an expired API key",
            Worth::Nothing,
            create("vault", &["--role", "manage", "--expires", "1s"]),
        ),
        (
            "a revoked API key",
            Worth::Nothing,
            revoked["key"].as_str().unwrap().to_owned(),
        ),
        (
            "a tampered API key",
            Worth::Nothing,
            reads.replacen("rk_", "rc_", 1),
        ),
        (
            "another region's API key",
            Worth::KeyElsewhere,
            elsewhere.secret().expose().to_owned(),
        ),
        ("an API key that reads", Worth::Key(KeyRole::Read), reads),
        (
            "an API key that manages",
            Worth::Key(KeyRole::Manage),
            create("vault", &["--role", "manage"]),
        ),
    ]
}

struct Secrets {
    keys: Keys,
    token: String,
    foreign: String,
    expired: String,
    revoked: String,
    elsewhere: String,
    link: String,
    owner: String,
    stranger: String,
    ended: String,
}

fn credentials(secrets: &Secrets) -> Vec<Credential> {
    use Worth::{Bearer, Elsewhere, Nothing, Session};
    let Secrets {
        keys,
        token,
        foreign,
        expired,
        revoked,
        elsewhere,
        link,
        owner,
        stranger,
        ended,
    } = secrets;
    let new = Credential::new;
    let bearer =
        |what, token: &str| new(what, Nothing).header("authorization", format!("Bearer {token}"));
    let other = if token.ends_with('a') { "b" } else { "a" };
    let tampered = format!("{}{other}", &token[..token.len() - 1]);
    let (organisation, secret) = owner.split_once('.').unwrap();
    let (elsewhere_organisation, _) = stranger.split_once('.').unwrap();
    let keys = keys.iter().map(|(what, worth, key)| Credential {
        worth: *worth,
        ..bearer(what, key)
    });
    let (_, _, manages) = &secrets.keys[secrets.keys.len() - 1];
    let mut all = vec![
        new("an API key in the query", Nothing).query(format!("?api_key={manages}&key={manages}")),
        new("an API key as a session", Nothing).session(manages),
        new("nothing", Nothing),
        new("an empty header", Nothing).header("authorization", ""),
        new("a scheme alone", Nothing).header("authorization", "Bearer"),
        new("an empty token", Nothing).header("authorization", "Bearer "),
        bearer("nonsense", "nonsense"),
        new("another scheme", Nothing).header("authorization", format!("Basic {token}")),
        new("no scheme", Nothing).header("authorization", &**token),
        new("two headers", Nothing)
            .header("authorization", format!("Bearer {token}"))
            .header("authorization", format!("Bearer {token}")),
        new("a token in the query", Nothing).query(format!("?access_token={token}&token={token}")),
        bearer("a tampered token", &tampered),
        bearer("another organisation's token", foreign),
        bearer("an expired token", expired),
        bearer("a revoked token", revoked),
        Credential {
            worth: Elsewhere,
            ..bearer("another region's token", elsewhere)
        },
        bearer("a sign-in link as a token", link),
        bearer("a session as a token", owner),
        new("a token as a session", Nothing).session(token),
        new("a sign-in link as a session", Nothing).session(link),
        new("a sign-in link in the query", Nothing).query(format!("?token={link}&code={link}")),
        new("a tampered session", Nothing).session(&format!("{owner}x")),
        new("a session that has ended", Nothing).session(ended),
        new("a session under another organisation", Nothing)
            .session(&format!("{elsewhere_organisation}.{secret}")),
        new("an organisation without a session", Nothing).session(organisation),
        new("a session", Session).session(owner),
        new("a session and another organisation's token", Session)
            .session(owner)
            .header("authorization", format!("Bearer {foreign}")),
        Credential {
            worth: Bearer,
            ..bearer("a token", token)
        },
        Credential {
            worth: Bearer,
            ..bearer("a token and somebody's session", token).session(ended)
        },
    ];
    // a key that manages may replace the token: it comes last
    all.extend(keys);
    all
}

#[tokio::test]
async fn every_route_answers_everybody_as_it_declares() {
    let house = House::new().await;
    let mut routes = routes();
    routes.push(Route {
        method: http::Method::GET,
        path: "/metrics".into(),
        policy: Policy::Watchers,
    });
    let mut number = 0;
    // what opens comes last: it may change something
    for credential in &house.credentials {
        for route in &routes {
            number += 1;
            let reply = house.ask(number, route, credential).await;
            let told = judged(route, credential, &reply);
            assert_eq!(
                told,
                Ok(()),
                "{} {} with {}: {reply:?}",
                route.method,
                route.path,
                credential.what
            );
        }
    }
    assert!(number > 4_000, "{number}");
}

/// Compares an answer with what the route declares.
fn judged(route: &Route, credential: &Credential, reply: &Reply) -> Result<(), &'static str> {
    let must = |holds: bool, what| if holds { Ok(()) } else { Err(what) };
    match (route.policy, credential.worth) {
        (Policy::Public | Policy::Watchers, _) => must(reply.status == 200, "anyone may ask"),
        (Policy::Bearer, Worth::Bearer) => {
            let is_refused = matches!(reply.status, 401 | 403 | 421 | 429);
            let is_failure = reply.status >= 500 && !route.path.ends_with("/Me");
            must(!is_refused && !is_failure, "its own token opens it")
        }
        (Policy::Bearer, Worth::Elsewhere) => must(
            reply.status == 421 && reply.is_scim_error(),
            "it is told where",
        ),
        (Policy::Bearer, _) => {
            must(reply.status == 401, "nothing else opens it")?;
            must(
                reply.header("www-authenticate").starts_with("Bearer "),
                "it is told what would (RFC 6750 §3)",
            )?;
            must(reply.is_scim_error(), "in the form of SCIM")
        }
        (Policy::Key(needed), Worth::Key(role)) if role >= needed => {
            let is_refused = matches!(reply.status, 401 | 403 | 421 | 429);
            must(!is_refused && reply.status < 500, "its own key opens it")
        }
        (Policy::Key(_), Worth::Key(_)) => {
            must(reply.status == 403, "a key that reads changes nothing")?;
            let challenge = reply.header("www-authenticate");
            must(
                challenge.contains("insufficient_scope"),
                "it is told why (RFC 6750 §3.1)",
            )?;
            must(reply.is_problem(), "as a problem")
        }
        (Policy::Key(_), Worth::KeyElsewhere) => must(
            reply.status == 421 && reply.is_problem(),
            "it is told where",
        ),
        (Policy::Key(_), _) => {
            must(reply.status == 401, "nothing else opens it")?;
            must(
                reply.header("www-authenticate").starts_with("Bearer "),
                "it is told what would (RFC 6750 §3)",
            )?;
            must(reply.is_problem(), "as a problem")
        }
        (Policy::Console(Needs::Nothing), _) => {
            must(
                reply.status < 500 && reply.status != 401,
                "anyone may see it",
            )?;
            // who comes there without a message for the page is sent on by the page itself
            let is_sent_on = route.path == "/activate/done";
            let is_sent_away = reply.header("location").starts_with("/signin");
            must(is_sent_on || !is_sent_away, "without signing in")
        }
        (Policy::Console(_), Worth::Session) if route.method == "GET" => {
            let is_sent_away = reply.header("location").starts_with("/signin");
            // an enrolment is over once somebody is in
            must(!is_sent_away, "a session opens it")?;
            must(reply.status < 500 && reply.status != 401, "and it is made")
        }
        // the form's token belongs to nobody's session
        (Policy::Console(_), Worth::Session) => must(
            reply.status == 403 && reply.is_page(),
            "a form of another visit",
        ),
        (Policy::Console(_), _) => {
            must(reply.status == 303, "whoever it is has to sign in")?;
            let is_sent_away = reply.header("location").starts_with("/signin");
            must(is_sent_away, "and is sent there")
        }
    }
}

/// What another site's script may do is up to the answer (the Fetch standard, CORS protocol): it says nothing of it.
#[tokio::test]
async fn no_other_site_is_told_that_its_scripts_may_ask() {
    let (installation, _) = Installation::with("vault");
    let server = installation.serve(&[("ROLLCALL_TRUSTED_PROXIES", "127.0.0.1")]);
    let host = server.url.trim_start_matches("http://");
    for (number, route) in routes().into_iter().enumerate() {
        let path = filled(&route, super::NOBODY, super::NOBODY);
        let headers = [
            ("origin", "https://evil.example"),
            ("access-control-request-method", route.method.as_str()),
            ("access-control-request-headers", "authorization"),
            (
                "x-forwarded-for",
                &format!("10.0.{}.{}", number / 256, number % 256),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        for method in ["OPTIONS", route.method.as_str()] {
            let reply = sent(host, method, &path, &headers, "").await;
            let allowed = reply.head.to_lowercase().contains("access-control-");
            assert!(!allowed, "{method} {path}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn the_code_of_the_set_up_opens_nothing_else() {
    let installation = Installation::new();
    let (server, said) = installation.serve_telling();
    let code = said.iter().find_map(|line| line.split_once("/setup?code="));
    let (_, code) = code.unwrap();
    let host = server.url.trim_start_matches("http://");
    for route in rollcall_console::route_table() {
        let path = filled(&route, super::NOBODY, super::NOBODY);
        if route.method != "GET"
            || matches!(
                route.policy,
                Policy::Public | Policy::Console(Needs::Nothing)
            )
        {
            continue;
        }
        let headers = [("cookie".to_owned(), format!("rollcall_session={code}"))];
        let target = format!("{path}?code={code}");
        let reply = sent(host, "GET", &target, &headers, "").await;
        assert_eq!(reply.status, 303, "{path}: {reply:?}");
        assert!(reply.header("location").starts_with("/signin"), "{path}");
    }
    let headers = [("authorization".to_owned(), format!("Bearer {code}"))];
    let reply = sent(host, "GET", "/scim/v2/vault/Users", &headers, "").await;
    assert_eq!(reply.status, 401);
    let target = format!("/setup?code={code}");
    assert_eq!(sent(host, "GET", &target, &[], "").await.status, 200);
}
