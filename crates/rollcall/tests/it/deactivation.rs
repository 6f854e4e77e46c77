//! Whoever is switched off is out with the next request: by every way of switching off, with everything that lets somebody in.

use rollcall_model::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::console::guest::{Guest, PASSWORD, administrator};
use crate::console::invitations::House;
use crate::support::{Installation, Server};

/// How a person goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Patched,
    PatchedAsText,
    PatchedWithoutAPath,
    PatchedByUrn,
    Put,
    Deleted,
    PatchedInBulk,
    DeletedInBulk,
    DisabledByHand,
    DeletedByHand,
    Imported,
    LeftAGroupElsewhere,
}

impl Way {
    const ALL: [Self; 12] = [
        Self::Patched,
        Self::PatchedAsText,
        Self::PatchedWithoutAPath,
        Self::PatchedByUrn,
        Self::Put,
        Self::Deleted,
        Self::PatchedInBulk,
        Self::DeletedInBulk,
        Self::DisabledByHand,
        Self::DeletedByHand,
        Self::Imported,
        Self::LeftAGroupElsewhere,
    ];
}

/// By what a person comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The link of an invitation.
    Invitation,
    /// The link that came after a reset.
    Reset,
}

/// An organisation from which people come, and its group of those who do.
pub(crate) struct Source {
    pub(crate) scim: crate::support::Scim,
    group: String,
}

impl Source {
    pub(crate) async fn new(house: &House) -> Self {
        let installation = &house.installation;
        installation.ok(&["org", "create", "northwind", "--name", "Northwind"]);
        let token = installation.ok(&["token", "create", "--org", "northwind"]);
        let scim = house.server.scim("northwind", &token);
        let group = scim.group("Team", &[]).await;
        let target = installation.ok(&[
            "token",
            "create",
            "--org",
            "vault",
            "--integration",
            "custom",
        ]);
        std::fs::write(installation.folder.path().join("token"), target).unwrap();
        let source = Self { scim, group };
        Source::app(house, &["create", "Vault"]);
        let url = format!("{}/scim/v2/vault", house.server.url);
        Source::app(
            house,
            &["connect", "Vault", "--url", &url, "--token-file", "token"],
        );
        Source::app(house, &["assign", "Vault", "group:Team"]);
        source
    }

    #[track_caller]
    pub(crate) fn app(house: &House, arguments: &[&str]) {
        let all = [&["app"], arguments, &["--org", "northwind"]].concat();
        let mut command = house.installation.command(&all);
        command.env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true");
        command.env("ROLLCALL_MAIL_DIR", &house.mail);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    pub(crate) async fn member(&self, operation: Value) {
        let path = format!("/Groups/{}", self.group);
        self.scim.patch(&path, operation).await.is(204);
    }
}

/// Somebody with a link.
struct Person {
    way: Way,
    by: By,
    name: String,
    id: String,
    link: String,
    /// Their id where they come from.
    origin: Option<String>,
}

/// Lets a person go.
async fn let_go(house: &mut House, source: &Source, person: &Person) {
    let scim = house.scim.clone();
    let (path, page) = (
        format!("/Users/{}", person.id),
        format!("/users/{}", person.id),
    );
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    let bulk = |operation: Value| json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [operation]});
    match person.way {
        Way::Patched => drop(scim.patch(&path, off).await.is(204)),
        Way::PatchedAsText => {
            let off = json!([{"op": "Replace", "path": "active", "value": "False"}]);
            scim.patch(&path, off).await.is(204);
        }
        Way::PatchedWithoutAPath => {
            let off = json!([{"op": "replace", "value": {"active": false}}]);
            scim.patch(&path, off).await.is(204);
        }
        Way::PatchedByUrn => {
            let name = "urn:ietf:params:scim:schemas:core:2.0:User:Active";
            let off = json!([{"op": "REPLACE", "path": name, "value": false}]);
            scim.patch(&path, off).await.is(204);
        }
        Way::Put => {
            let body = json!({"userName": person.name, "active": false});
            scim.send("PUT", &path, Some(&body)).await.is(200);
        }
        Way::Deleted => drop(scim.send("DELETE", &path, None).await.is(204)),
        Way::PatchedInBulk => {
            let data = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": off});
            let body = bulk(json!({"method": "PATCH", "path": path, "data": data}));
            scim.post("/Bulk", body).await.is(200);
        }
        Way::DeletedInBulk => {
            let body = bulk(json!({"method": "DELETE", "path": path}));
            scim.post("/Bulk", body).await.is(200);
        }
        Way::DisabledByHand | Way::DeletedByHand => {
            let word = if person.way == Way::DisabledByHand {
                "disable"
            } else {
                "delete"
            };
            let action = format!("{page}/{word}");
            house.owner.submit(&action, &action, &[]).await.is(303);
        }
        Way::Imported => {
            let file = house.installation.folder.path().join("leaving.csv");
            std::fs::write(&file, format!("userName,active\n{},false\n", person.name)).unwrap();
            let file = file.display().to_string();
            house
                .installation
                .ok(&["import", "--org", "vault", "--users", &file]);
        }
        Way::LeftAGroupElsewhere => {
            let id = person.origin.as_ref().unwrap();
            let member = format!("members[value eq \"{id}\"]");
            source
                .member(json!([{"op": "remove", "path": member}]))
                .await;
            Source::app(house, &["run", "Vault"]);
        }
    }
}

#[tokio::test]
async fn a_person_who_goes_by_any_way_comes_in_by_nothing() {
    let mut house = House::inviting().await;
    let source = Source::new(&house).await;
    let mut people = Vec::new();
    for way in Way::ALL {
        for by in [By::Invitation, By::Reset] {
            let name = format!("{way:?}.{by:?}@example.com").to_lowercase();
            let from = if way == Way::LeftAGroupElsewhere {
                let origin = source.scim.person(&name).await;
                let member =
                    json!([{"op": "add", "path": "members", "value": [{"value": origin}]}]);
                source.member(member).await;
                Some(origin)
            } else {
                house.scim.person(&name).await;
                None
            };
            people.push((way, by, name, from));
        }
    }
    Source::app(&house, &["run", "Vault"]);
    let mut with_links = Vec::new();
    for (way, by, name, origin) in people {
        let filter = format!("/Users?filter=userName eq \"{name}\"");
        let found = house.scim.get(&filter).await.is(200).body;
        let id = found["Resources"][0]["id"].as_str().unwrap().to_owned();
        let mut link = house.mailed_or_made(&name, &id, 1).await;
        if by == By::Reset {
            house.activate(&link).await.is(303);
            house.press(&id, "reset-activation").await.is(303);
            link = house.mailed_or_made(&name, &id, 2).await;
        }
        with_links.push(Person {
            way,
            by,
            name,
            id,
            link,
            origin,
        });
    }

    for person in &with_links {
        let what = format!("{:?} by {:?}", person.way, person.by);
        assert!(house.is_good(&person.link).await, "{what}: before");

        let_go(&mut house, &source, person).await;

        assert!(!house.is_good(&person.link).await, "{what}");
        assert_eq!(house.activate(&person.link).await.status, 400, "{what}");
        let listed = format!(
            "/Users?filter=userName eq \"{}\" and active eq true",
            person.name
        );
        let found = house.scim.get(&listed).await.is(200).body;
        assert_eq!(found["totalResults"], 0, "{what}");
    }
}

/// How an administrator goes, or loses what they had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Removed,
    Reset,
    ResetByACommand,
    RoleChanged,
}

/// Everything by which one administrator comes in.
struct Keys {
    email: String,
    id: String,
    session: Guest,
    /// A sign-in that waits for the second factor, and a recovery code for it.
    begun: Guest,
    recovery: Vec<String>,
    /// The unused link of another administrator who shares the fate.
    link: String,
    link_id: String,
    link_email: String,
}

/// Sets a second factor up; returns the recovery codes.
async fn enrolled(guest: &mut Guest) -> Vec<String> {
    let page = guest
        .submit("/settings/security", "/me/second-factor", &[])
        .await
        .is(200);
    let typed = page.body.split("class=\"mono brk gap-s\">").nth(1).unwrap();
    let typed: String = typed
        .split('<')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let secret = totp_rs::Secret::try_from_base32(&typed).unwrap();
    let code = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let (csrf, sealed) = (page.token(), page.value("sealed"));
    let now = u64::try_from(SystemClock.now().as_second()).unwrap();
    let code = code.generate(now).to_string();
    let fields = [("csrf", &*csrf), ("sealed", &*sealed), ("code", &*code)];
    let codes = guest
        .post("/me/second-factor/confirm", &fields)
        .await
        .is(200)
        .body;
    let list = codes.split("id=\"codes\">").nth(1).unwrap();
    let list = list.split("</ul>").next().unwrap();
    list.split("<li>")
        .skip(1)
        .map(|item| item.split('<').next().unwrap().to_owned())
        .collect()
}

/// Finds the id of an administrator on the owner's page.
fn id_of(page: &str, email: &str) -> String {
    let before = page.split(email).next().unwrap();
    let id = before.rsplit("administrators/").next().unwrap();
    id.split('"').next().unwrap().to_owned()
}

impl Keys {
    async fn new(
        installation: &Installation,
        server: &Server,
        owner: &mut Guest,
        end: End,
    ) -> Self {
        let email = format!("{end:?}@example.com").to_lowercase();
        administrator(installation, "vault", &email);
        let mut session = Guest::new(server);
        session.sign_in(&email, PASSWORD).await.is(303);
        let recovery = enrolled(&mut session).await;
        let mut begun = Guest::new(server);
        begun.sign_in(&email, PASSWORD).await.is(303);
        let link_email = format!("{end:?}-new@example.com").to_lowercase();
        let create = ["admin", "create", "--org", "vault", "--email", &link_email];
        let link = installation.ok(&create);
        let (_, token) = link.split_once("token=").unwrap();
        let page = owner.get("/settings/security").await.is(200).body;
        Self {
            id: id_of(&page, &format!("{email}<")),
            session,
            begun,
            recovery,
            link: format!("/signin/link?token={token}"),
            link_id: id_of(&page, &format!("{link_email}<")),
            link_email,
            email,
        }
    }
}

#[tokio::test]
async fn an_administrator_who_goes_by_any_way_comes_in_by_nothing() {
    let (installation, _) = Installation::with("vault");
    administrator(&installation, "vault", "owner@example.com");
    let server = installation.serve(&[]);
    let mut owner = Guest::new(&server);
    owner.sign_in("owner@example.com", PASSWORD).await.is(303);
    for end in [
        End::Removed,
        End::Reset,
        End::ResetByACommand,
        End::RoleChanged,
    ] {
        let mut keys = Keys::new(&installation, &server, &mut owner, end).await;
        keys.session.get("/").await.is(200);
        Guest::new(&server).get(&keys.link).await.is(200);

        for (id, email) in [(&keys.id, &keys.email), (&keys.link_id, &keys.link_email)] {
            let page = format!("/settings/security/administrators/{id}");
            let (word, fields): (&str, &[(&str, &str)]) = match end {
                End::Removed => ("remove", &[]),
                End::Reset => ("reset", &[]),
                End::RoleChanged => ("role", &[("role", "auditor")]),
                End::ResetByACommand => {
                    installation.ok(&["admin", "reset", "--org", "vault", "--email", email]);
                    continue;
                }
            };
            let done = owner.submit(&page, &format!("{page}/{word}"), fields).await;
            assert!(matches!(done.status, 200 | 303), "{end:?}: {}", done.body);
        }

        let code = [("code", &*keys.recovery[0])];
        if end == End::RoleChanged {
            // what is open is under the new role from the next request on
            let refused = keys.session.submit("/", "/users/x/enable", &[]).await;
            assert_eq!(refused.status, 403, "{end:?}");
            keys.begun
                .submit("/signin/code", "/signin/code", &code)
                .await
                .is(303);
            let refused = keys.begun.submit("/", "/users/x/enable", &[]).await;
            assert_eq!(refused.status, 403, "{end:?}");
            continue;
        }
        let shut = keys.session.get("/").await;
        assert_eq!((shut.status, shut.to()), (303, "/signin"), "{end:?}");
        let shut = keys.begun.get("/signin/code").await;
        assert_eq!(shut.status, 303, "{end:?}");
        assert!(shut.to().starts_with("/signin?next="), "{end:?}");
        let shut = keys.begun.submit("/signin", "/signin/code", &code).await;
        assert_eq!((shut.status, shut.to()), (303, "/signin"), "{end:?}");
        assert_eq!(
            Guest::new(&server).get(&keys.link).await.status,
            400,
            "{end:?}"
        );
        let again = Guest::new(&server).sign_in(&keys.email, PASSWORD).await;
        assert_eq!(again.status, 422, "{end:?}: the password");
    }
}
