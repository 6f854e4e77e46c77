//! What stands between a store and its database: addresses, certificates, rights, poolers; and what is said when it cannot be opened.

use std::sync::Arc;

use rollcall_testkit::postgres::{Database, PASSWORD, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::Postgres;
use super::{open, organisation};
use crate::{Error, Location, Store};

/// Returns what a command would print about a store that cannot be opened.
async fn trouble(url: &str) -> String {
    let error = open(url).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    assert!(
        !text.contains(PASSWORD) && !text.contains("wr0ng"),
        "{text}"
    );
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_an_address_is_said_with_what_to_do() {
    let database = Database::fresh().unwrap();
    let unknown = database
        .url_by_network(PASSWORD, "")
        .replace("/test_", "/no_");
    let elsewhere = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        format!("postgres://rollcall@127.0.0.1:{port}/rollcall")
    };

    for (url, said) in [
        (
            database.url_by_network("wr0ng", ""),
            "check user and password",
        ),
        (
            database
                .url_by_network(PASSWORD, "")
                .replace(&format!(":{PASSWORD}"), ""),
            "wants a password of `rollcall`",
        ),
        (unknown, "createdb --owner=rollcall no_"),
        (elsewhere, "does not answer"),
        (
            database.url_by_network(PASSWORD, "?sslmode=require"),
            "sslmode=disable",
        ),
    ] {
        let text = trouble(&url).await;
        assert!(text.contains(said), "{text}");
    }
    open(&database.url_by_network(PASSWORD, "")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_certificate_of_a_server_is_verified() {
    let certificate = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    };
    let (ours, key) = certificate("127.0.0.1");
    let (strange, _) = certificate("127.0.0.1");
    let files = [("server.crt", &*ours), ("server.key", &*key)];
    let server = Server::of_ones_own("ssl = on", &files).unwrap();
    let database = server.database().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let with = |mode: &str, file: &str, authority: &str| {
        let path = folder.path().join(file);
        std::fs::write(&path, authority).unwrap();
        database.url_by_network(
            PASSWORD,
            &format!("?sslmode={mode}&sslrootcert={}", path.display()),
        )
    };

    open(&with("require", "ours.pem", &ours)).await.unwrap();
    let store = open(&with("prefer", "ours.pem", &ours)).await.unwrap();
    organisation(&store, "one").await;
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'rollcall'";
    assert_eq!(database.sql(encrypted).unwrap(), "t");
    // not even who only prefers a secret goes on without one that can be trusted
    for mode in ["require", "prefer"] {
        let text = trouble(&with(mode, "strange.pem", &strange)).await;
        assert!(text.contains("sslrootcert=FILE"), "{text}");
    }
    let by_name = with("require", "ours.pem", &ours).replace("127.0.0.1", "localhost");
    let text = trouble(&by_name).await;
    assert!(text.contains("sslrootcert=FILE"), "{text}");
    let nothing = open(&with("require", "empty.pem", "")).await;
    assert!(matches!(nothing, Err(Error::Address(_))), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_not_make_tables_is_told_so() {
    let database = Database::fresh().unwrap();
    database
        .sql("CREATE ROLE guest_of_tests LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        .or_else(|error| {
            // others of this server made it
            if error.to_string().contains("already exists") {
                Ok(String::new())
            } else {
                Err(error)
            }
        })
        .unwrap();

    let text = trouble(&database.url_of("guest_of_tests")).await;

    assert!(text.contains("make it the owner"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_open_never_shows_its_password() {
    let database = Database::fresh().unwrap();
    let url = database.url_by_network(PASSWORD, "");
    let location: Location = url.parse().unwrap();
    let Location::Postgres(address) = &location else {
        panic!("{location}");
    };

    let backend = Postgres::open(address, Arc::default()).await.unwrap();
    let store = Store::open(&location).await.unwrap();

    let shown = format!("{location} {location:?} {backend:?} {store:?}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    assert!(
        location
            .to_string()
            .contains("postgres://rollcall@127.0.0.1")
    );
}

/// Passes connections on, and makes another setting of one that the client asks for, as a pooler does that does not know it.
async fn pooler(database: String) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let database = database.clone();
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(database).await.unwrap();
                let mut start = vec![0; 4_096];
                let length = client.read(&mut start).await.unwrap();
                start.truncate(length);
                let known = b"rollcall.scope";
                let place = start.windows(known.len()).position(|part| part == known);
                if let Some(place) = place {
                    start[place..place + known.len()].copy_from_slice(b"rollcall.xxxxx");
                }
                server.write_all(&start).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_keeps_settings_to_itself_is_refused() {
    let database = Database::fresh().unwrap();
    let url = database.url_by_network(PASSWORD, "?sslmode=disable");
    open(&url).await.unwrap();
    let authority = url.split('@').nth(1).unwrap().split('/').next().unwrap();
    let port = pooler(authority.to_owned()).await;

    let refused = trouble(&url.replace(authority, &format!("127.0.0.1:{port}"))).await;

    assert!(
        refused.contains("the address of PostgreSQL itself"),
        "{refused}"
    );
}
