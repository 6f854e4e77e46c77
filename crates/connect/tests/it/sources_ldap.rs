//! A directory that speaks LDAP as a source: OpenLDAP itself.

use std::collections::HashSet;

use rollcall_connect::client::{Client, Options};
use rollcall_connect::guard::Reach;
use rollcall_connect::sources::ldap::{Ldap, Tree};
use rollcall_connect::sources::{Completeness, Pointer, Unread};
use rollcall_model::{Kind, Secret};
use rollcall_scim::limits::STANDARD;
use rollcall_scim::schema::Registry;
use rollcall_testkit::ldap::{BASE, Certificate, Directory, LIMITED, PASSWORD, READER};

use crate::sources_support::{Reading, read};
use crate::tls::Authority;

const PEOPLE: &str = "ou=People,dc=example,dc=com";
const GROUPS: &str = "ou=Groups,dc=example,dc=com";

fn tree(directory: &Directory) -> Tree {
    tree_at(directory.url())
}

fn tree_at(url: String) -> Tree {
    Tree {
        url,
        starts_tls: false,
        bind: Some((READER.to_owned(), Secret::new(PASSWORD))),
        base: BASE.to_owned(),
        users: None,
        groups: None,
        user_name: None,
        key: None,
        attributes: Vec::new(),
    }
}

async fn read_tree(tree: Tree) -> Result<Reading, Unread> {
    let client = Client::new(Reach::Anywhere).unwrap();
    let mut source = Ldap::new(client, tree, Registry::standard(), STANDARD).unwrap();
    read(&mut source).await
}

async fn branch(directory: &Directory, dn: &str, name: &str) {
    let branch: &[(&str, &[&str])] = &[("objectClass", &["organizationalUnit"]), ("ou", &[name])];
    directory.add(dn, branch).await.unwrap();
}

fn person(uid: &str) -> String {
    format!("uid={uid},{PEOPLE}")
}

async fn add_person(directory: &Directory, uid: &str, more: &[(&str, &[&str])]) {
    let own: &[(&str, &[&str])] = &[
        ("objectClass", &["inetOrgPerson"]),
        ("uid", &[uid]),
        ("cn", &[uid]),
        ("sn", &["Lee"]),
    ];
    directory
        .add(&person(uid), &[own, more].concat())
        .await
        .unwrap();
}

/// A directory with these people, whose manager the first of them is.
async fn peopled(folder: &std::path::Path, uids: &[&str]) -> Directory {
    let directory = Directory::start(folder, None).await.unwrap();
    branch(&directory, PEOPLE, "People").await;
    branch(&directory, GROUPS, "Groups").await;
    for uid in uids {
        let manager = person(uids[0]).replace("uid=", "UID = ");
        let manager: &[(&str, &[&str])] = &[("manager", &[&manager])];
        add_person(&directory, uid, if *uid == uids[0] { &[] } else { manager }).await;
    }
    directory
}

fn key<'r>(reading: &'r Reading, name: &str) -> &'r str {
    let found = reading.records.iter().find(|record| {
        let said = [&record.body["userName"], &record.body["displayName"]];
        said.iter().any(|said| *said == name)
    });
    &found.unwrap().key
}

#[tokio::test]
async fn people_and_groups_come_with_what_they_point_to() {
    let folder = tempfile::tempdir().unwrap();
    let directory = peopled(folder.path(), &["boss", "ann", "bob"]).await;
    let ann: &[(&str, &[&str])] = &[
        ("mail", &["ann@example.com"]),
        ("telephoneNumber", &["+47 1", "+47 2"]),
        ("title", &["Buyer"]),
        ("departmentNumber", &["D 7"]),
        ("employeeNumber", &["118190"]),
        ("carLicense", &["AB 1", "AB 2"]),
        ("userPassword", &["canary"]),
    ];
    for (name, values) in ann {
        directory
            .replace(&person("ann"), name, values)
            .await
            .unwrap();
    }
    let inner = format!("cn=Inner,{GROUPS}");
    let (ann_dn, bob_dn) = (person("ann"), person("bob"));
    for (dn, class, attribute, members) in [
        (
            inner.as_str(),
            "groupOfNames",
            "member",
            vec![bob_dn.as_str(), READER],
        ),
        (
            &format!("cn=Outer,{GROUPS}"),
            "groupOfUniqueNames",
            "uniqueMember",
            vec![ann_dn.as_str(), &inner],
        ),
        (
            &format!("cn=Posix,{GROUPS}"),
            "posixGroup",
            "memberUid",
            vec!["boss", "nobody"],
        ),
    ] {
        let gid: &[(&str, &[&str])] = &[("gidNumber", &["7"])];
        let group: &[(&str, &[&str])] = &[("objectClass", &[class]), (attribute, &members)];
        let more = if class == "posixGroup" { gid } else { &[] };
        directory.add(dn, &[group, more].concat()).await.unwrap();
    }

    let mut wanted = tree(&directory);
    wanted.attributes = vec!["carLicense".to_owned()];
    let reading = read_tree(wanted).await.unwrap();

    assert_eq!(reading.completeness, Completeness::Complete);
    assert_eq!(reading.refusals, []);
    let ann = reading
        .records
        .iter()
        .find(|record| record.body["userName"] == "ann");
    let ann = ann.unwrap();
    assert_eq!(ann.kind, Kind::User);
    assert_eq!(ann.place, person("ann"));
    assert_eq!(ann.body["active"], true);
    assert_eq!(ann.body["title"], "Buyer");
    assert_eq!(ann.body["emails"][0]["value"], "ann@example.com");
    let phone = ann.body["phoneNumbers"][0]["value"].as_str().unwrap();
    assert!(["+47 1", "+47 2"].contains(&phone), "the directory's first");
    assert_eq!(ann.body["name"]["familyName"], "Lee");
    let plates = ann.attributes["carLicense"].as_array().unwrap();
    assert_eq!(plates.len(), 2, "all values, for mappings");
    assert!(
        !format!("{ann:?}").contains("canary"),
        "passwords are not asked for"
    );
    let points = |name: &str| Pointer::Key(key(&reading, name).to_owned());
    assert_eq!(ann.manager, Some(points("boss")));
    let members = |name: &str| {
        let group = reading
            .records
            .iter()
            .find(|record| record.body["displayName"] == name && record.kind == Kind::Group);
        let members = group.unwrap().members.iter().cloned();
        members.collect::<HashSet<Pointer>>()
    };
    assert_eq!(
        members("Inner"),
        HashSet::from([points("bob")]),
        "who is no person is left out"
    );
    assert_eq!(
        members("Outer"),
        HashSet::from([points("ann"), points("Inner")])
    );
    assert_eq!(members("Posix"), HashSet::from([points("boss")]));

    // who is renamed and moved is the same
    directory
        .replace(&person("ann"), "cn", &["Ann Smith"])
        .await
        .unwrap();
    let again = read_tree(tree(&directory)).await.unwrap();
    assert_eq!(key(&again, "ann"), ann.key);
    assert_eq!(ann.key.len(), 36);
}

#[tokio::test]
async fn more_than_a_page_is_read_page_by_page_and_a_limit_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let uids: Vec<String> = (0..1_203).map(|number| format!("p{number}")).collect();
    let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
    let directory = peopled(folder.path(), &uids).await;

    let reading = read_tree(tree(&directory)).await.unwrap();
    assert_eq!(reading.completeness, Completeness::Complete);
    assert_eq!(reading.records.len(), 1_203);

    let limited = Tree {
        bind: Some((LIMITED.to_owned(), Secret::new(PASSWORD))),
        ..tree(&directory)
    };
    let reading = read_tree(limited).await.unwrap();
    assert!(
        reading.reason().contains("stopped at its own limit"),
        "{}",
        reading.reason()
    );
    assert!(reading.records.len() < 1_203);
}

#[tokio::test]
async fn filters_names_and_keys_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let directory = peopled(folder.path(), &["boss", "ann"]).await;
    directory
        .replace(&person("ann"), "mail", &["ann@example.com"])
        .await
        .unwrap();
    directory
        .replace(&person("ann"), "employeeNumber", &["7"])
        .await
        .unwrap();

    let reading = read_tree(Tree {
        users: Some("(uid=*)".to_owned()),
        user_name: Some("mail".to_owned()),
        key: Some("employeeNumber".to_owned()),
        ..tree(&directory)
    })
    .await
    .unwrap();

    assert_eq!(reading.keys(), ["7"]);
    assert_eq!(reading.records[0].body["userName"], "ann@example.com");
    let refused = &reading.refusals[0];
    assert!(
        refused.key.is_none() && refused.reason.contains("employeeNumber"),
        "{refused:?}"
    );

    let client = Client::new(Reach::Anywhere).unwrap();
    let wrong = Tree {
        groups: Some("(objectClass=".to_owned()),
        ..tree(&directory)
    };
    let refused = Ldap::new(client, wrong, Registry::standard(), STANDARD);
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .starts_with("groups: `(objectClass=` is not a filter")
    );
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let directory = peopled(folder.path(), &["ann"]).await;
    let well = tree(&directory);
    let with = |name: &str, password: &str| Tree {
        bind: Some((name.to_owned(), Secret::new(password))),
        ..well.clone()
    };
    let rows = [
        (
            with(READER, "wrong"),
            false,
            "does not take the name and password (49)",
            "`bind`",
        ),
        (
            Tree {
                bind: None,
                ..well.clone()
            },
            false,
            "does not permit",
            "give whoever reads the right",
        ),
        (
            Tree {
                base: "dc=elsewhere".to_owned(),
                ..well.clone()
            },
            false,
            "(32)",
            "`base`",
        ),
        (
            Tree {
                base: "nonsense".to_owned(),
                ..well.clone()
            },
            false,
            "does not understand the name (34)",
            "dc=example",
        ),
        (
            Tree {
                url: "ldap://localhost:1".to_owned(),
                ..well.clone()
            },
            true,
            "refuses connections",
            "tried again",
        ),
        (
            Tree {
                url: directory.url(),
                starts_tls: true,
                ..well.clone()
            },
            false,
            "StartTLS",
            "whoever runs",
        ),
    ];
    for (tree, is_out_of_reach, message, help) in rows {
        let unread = read_tree(tree).await.unwrap_err();

        assert!(unread.message.contains(message), "{message}: {unread:?}");
        assert!(unread.help.contains(help), "{help}: {unread:?}");
        assert_eq!(unread.is_out_of_reach, is_out_of_reach, "{unread:?}");
    }
    directory.remove(&person("ann")).await.unwrap();
    let empty = read_tree(well).await.unwrap();
    assert!(matches!(&empty.completeness, Completeness::Empty(why) if why.contains("no people")));
}

#[tokio::test]
async fn a_connection_is_secret_from_the_first_byte_or_by_starttls_and_the_certificate_is_checked()
{
    let house = Authority::new();
    let (certificate, key) = house.certificate("localhost");
    let tls = Certificate {
        certificate,
        key,
        authority: house.pem(),
    };
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::start(folder.path(), Some(&tls)).await.unwrap();
    let nobody = Options::of(Reach::Anywhere);
    let asked = async |options: &Options, url: String, starts_tls| {
        let tree = Tree {
            url,
            starts_tls,
            ..tree(&directory)
        };
        let client = Client::with(options).unwrap();
        let mut source = Ldap::new(client, tree, Registry::standard(), STANDARD).unwrap();
        read(&mut source).await.unwrap_err().message
    };

    // the tree is empty: whoever gets as far as that was let in
    for (url, starts_tls) in [(directory.secret_url(), false), (directory.url(), true)] {
        let said = asked(&house.options(), url.clone(), starts_tls).await;
        assert!(
            said.contains("(49)") || said.contains("(32)"),
            "{url}: {said}"
        );
        let said = asked(&nobody, url.clone(), starts_tls).await;
        assert!(said.contains("whom this server trusts"), "{url}: {said}");
    }
    let said = asked(&house.options(), directory.url(), false).await;
    assert!(said.contains("not secret (13)"), "{said}");
    let elsewhere = directory.secret_url().replace("localhost", "127.0.0.1");
    let said = asked(&house.options(), elsewhere, false).await;
    assert!(said.contains("another name"), "{said}");
}

#[tokio::test]
async fn whoever_does_not_speak_ldap_is_told_apart_and_a_silent_one_ends() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ldap://127.0.0.1:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
            drop(tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await);
        }
    });

    let unread = tokio::time::timeout(std::time::Duration::from_secs(20), read_tree(tree_at(url)));

    let unread = unread.await.expect("it ends").unwrap_err();
    assert!(unread.message.contains("127.0.0.1"), "{unread:?}");
}
