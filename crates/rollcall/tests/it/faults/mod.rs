//! The store while things break: clients write over SCIM without pause, and the server is killed ([`killed_server`]) or its database
//! restarted ([`restarts`]), again and again, on one and the same store. The disk is full for a while ([`full_disk`]), or
//! fails at a certain call ([`each_call`]), and thousands of clients
//! that never finish a request are there beside those who do ([`slow_clients`]).
//!
//! Whatever was acknowledged is there afterwards, what was under way is there as a whole or not at all, and the feed has no gap and tells
//! the same story as the directory.
//!
//! **Start at** `Client::step`, what clients do and know, and [`feed::Feed`], what the feed says.

mod client;
mod each_call;
pub(crate) mod feed;
mod full_disk;
mod killed_server;
mod restarts;
mod slow_clients;

use serde_json::Value;

use crate::support::{Installation, Scim};
pub(crate) use client::Outcome;

use client::Client;

/// The group whose members come from all clients.
const EVERYBODY: &str = "everybody";
/// How many clients write at the same time.
const CLIENTS: u64 = 5;

/// Reads a collection to its end.
pub(crate) async fn whole(scim: &Scim, collection: &str) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let path = format!("{collection}?startIndex={}&count=500", found.len() + 1);
        let page = scim.get(&path).await.is(200).body;
        let resources = page["Resources"].as_array().cloned().unwrap_or_default();
        found.extend(resources);
        if found.len() as u64 >= page["totalResults"].as_u64().unwrap() {
            return found;
        }
    }
}

/// Makes the group of everybody, and the clients of an organisation in which there is nothing else.
pub(crate) async fn clients(scim: &Scim, seed: u64) -> Vec<Client> {
    scim.group(EVERYBODY, &[]).await;
    let mut clients = Vec::new();
    for number in 1..=CLIENTS {
        let mut client = Client::new(number, scim.clone(), seed);
        client.look().await.unwrap();
        clients.push(client);
    }
    clients
}

/// Has the store examined.
#[track_caller]
pub(crate) fn examine(installation: &Installation) {
    let examined = installation.run(&["doctor"]);
    let found = String::from_utf8_lossy(&examined.stdout).into_owned();
    assert!(examined.status.success(), "{found}");
}
