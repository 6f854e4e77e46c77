//! The guard where it matters: at the address that is dialled, whatever name leads there, of targets, sources and webhooks.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rollcall_connect::client::{Client, Names, Options, Refused};
use rollcall_connect::guard::Reach;
use rollcall_connect::sources::scim::Scim;
use rollcall_connect::webhooks::Message;
use rollcall_model::{Kind, Profile, Secret};
use rollcall_scim::limits::STANDARD;
use rollcall_scim::schema::Registry;
use tokio::net::TcpListener;

use crate::scripted::{surroundings, target_at, trouble_of};
use crate::sources_support::read;
use crate::tls::Authority;

/// A resolver by which every name leads to the same addresses, until they are changed.
#[derive(Debug)]
struct Told(Mutex<Vec<IpAddr>>);

impl Told {
    fn new(addresses: &[&str]) -> Arc<Self> {
        let told = Self(Mutex::default());
        told.lead_to(addresses);
        Arc::new(told)
    }

    fn lead_to(&self, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        *self.0.lock().unwrap() = addresses.collect();
    }
}

#[async_trait]
impl Names for Told {
    async fn addresses(&self, _name: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let addresses = self.0.lock().unwrap();
        Ok(addresses.iter().map(|ip| (*ip, port).into()).collect())
    }
}

/// An endpoint at 127.0.0.1, which is listed, and a neighbour at 127.0.0.2 and the same port, which is not.
struct Street {
    options: Options,
    names: Arc<Told>,
    url: String,
    neighbour: TcpListener,
}

impl Street {
    async fn new() -> Self {
        let house = Authority::new();
        let address = house.endpoint("app.example.com", 4000).await;
        let names = Told::new(&["127.0.0.1"]);
        let options = Options {
            reach: Reach::Besides("127.0.0.1".parse().unwrap()),
            names: Arc::<Told>::clone(&names),
            ..house.options()
        };
        let port = address.port();
        Self {
            options,
            names,
            url: format!("https://app.example.com:{port}/scim"),
            neighbour: TcpListener::bind(("127.0.0.2", port)).await.unwrap(),
        }
    }

    /// Tells whether anybody has called the neighbour.
    async fn neighbour_was_called(&self) -> bool {
        let call = tokio::time::timeout(Duration::from_millis(100), self.neighbour.accept());
        call.await.is_ok()
    }
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_at_the_next_connection_is_not_followed() {
    let street = Street::new().await;
    let target = target_at(&street.url, &street.options, Profile::default());
    let kinds = [(Kind::User, "userName".to_owned())];
    target.test(&kinds, "nobody").await.unwrap();

    street.names.lead_to(&["127.0.0.2"]);
    let message = trouble_of(&target).await;

    assert!(message.contains("`allow_private_targets`"), "{message}");
    assert!(!street.neighbour_was_called().await);
}

#[tokio::test]
async fn of_several_addresses_of_a_name_only_those_that_may_be_called_are() {
    let street = Street::new().await;
    street
        .names
        .lead_to(&["127.0.0.2", "10.0.0.7", "127.0.0.1", "::1"]);
    let target = target_at(&street.url, &street.options, Profile::default());
    let kinds = [(Kind::User, "userName".to_owned())];

    target.test(&kinds, "nobody").await.unwrap();

    assert!(!street.neighbour_was_called().await);
}

fn source(options: &Options, url: &str) -> Result<Scim, Refused> {
    Scim::new(
        Client::with(options).unwrap(),
        url,
        Secret::new("secret"),
        Registry::standard(),
        STANDARD,
        surroundings(),
    )
}

#[tokio::test]
async fn a_source_is_guarded_as_a_target_is() {
    let street = Street::new().await;
    street.names.lead_to(&["127.0.0.2"]);
    let public = Options {
        reach: Reach::Public,
        ..street.options.clone()
    };

    for (options, url) in [
        (&public, street.url.as_str()),
        (&street.options, street.url.as_str()),
        (&public, "https://localhost/scim"),
    ] {
        let mut source = source(options, url)
            .unwrap()
            .with_pause(Duration::from_millis(1));
        let unread = read(&mut source).await.unwrap_err();

        let said = unread.to_string();
        assert!(said.contains("`allow_private_targets`"), "{url}: {said}");
    }
    assert!(!street.neighbour_was_called().await);

    for url in [
        "http://app.example.com/scim",
        "https://169.254.169.254/",
        "https://[::ffff:10.0.0.7]/",
    ] {
        assert!(source(&public, url).is_err(), "{url}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_told_something_is_guarded_as_a_target_is() {
    let street = Street::new().await;
    let client = Client::with(&street.options).unwrap();
    let tell = async |client: &Client, url: &str| {
        let message = Message {
            id: "evt_1",
            timestamp: 1_800_000_000,
            signature: "v1,abc",
            body: b"{}".to_vec(),
        };
        client.tell(url, message, Timestamp::UNIX_EPOCH).await
    };
    let told = tell(&client, &street.url).await.unwrap();
    assert!(told.status.is_some(), "{told:?}");

    street.names.lead_to(&["127.0.0.2"]);
    // another client: the first one still has its connection
    let client = Client::with(&street.options).unwrap();
    let told = tell(&client, &street.url).await.unwrap();

    assert_eq!(told.status, None);
    let trouble = told.trouble.unwrap();
    assert!(trouble.contains("`allow_private_targets`"), "{trouble}");
    assert!(!street.neighbour_was_called().await);
    let public = Client::new(Reach::Public).unwrap();
    for url in [
        "http://app.example.com/in",
        "https://169.254.169.254/",
        "https://[::ffff:10.0.0.7]/",
    ] {
        assert!(tell(&public, url).await.is_err(), "{url}");
    }
}
