//! What the change feed says: the directory, told again from its beginning.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_app::App;
use rollcall_app::directory::Context;
use rollcall_model::{Action, Kind};
use rollcall_store::Error;
use serde_json::Value;

use super::whole;
use crate::support::Scim;

/// So many entries are read at once.
const PART: u64 = 500;

/// An object, as the feed tells it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Told {
    /// How many entries changed it: its version.
    version: u64,
    document: Value,
    members: BTreeSet<String>,
    is_gone: bool,
}

/// A reader of the feed, who remembers everything.
pub(crate) struct Feed {
    context: Context,
    /// The last place that was read.
    pub(crate) place: u64,
    told: BTreeMap<(Kind, String), Told>,
}

impl Feed {
    pub(crate) async fn new(app: &App, organisation: &str) -> Self {
        let organisation = app
            .organisation(&organisation.parse().unwrap())
            .await
            .unwrap();
        Self {
            context: app.command_context(organisation.id),
            place: 0,
            told: BTreeMap::new(),
        }
    }

    /// Reads what is new, and makes sure that no place is missing.
    pub(crate) async fn follow(&mut self) {
        loop {
            let after = self.place;
            let read = self.context.tenant().read::<_, Error, _>(move |reader| {
                Ok((reader.changes(after, PART)?, reader.last_change()?))
            });
            let (changes, last) = read.await.unwrap();
            if changes.is_empty() {
                assert_eq!(self.place, last, "the last place was given to nobody");
                return;
            }
            for change in changes {
                self.place += 1;
                assert_eq!(change.sequence, self.place, "the feed has a gap");
                let told = self
                    .told
                    .entry((change.kind, change.id.to_string()))
                    .or_default();
                told.is_gone = change.action == Action::Deleted;
                if told.is_gone {
                    told.members.clear();
                    continue;
                }
                told.version += 1;
                if let Some(document) = change.document {
                    told.document = document;
                }
                for member in change.membership.added {
                    assert!(told.members.insert(member.to_string()), "added twice");
                }
                for member in change.membership.removed {
                    assert!(told.members.remove(&member.to_string()), "removed twice");
                }
            }
        }
    }

    /// Makes sure that the directory is what the feed tells.
    pub(crate) async fn agrees(&mut self, scim: &Scim) {
        self.follow().await;
        for (kind, collection) in [(Kind::User, "/Users"), (Kind::Group, "/Groups")] {
            let there = whole(scim, collection).await;
            let told = self.told.iter();
            let told = told.filter(|((of, _), told)| *of == kind && !told.is_gone);
            assert_eq!(there.len(), told.count(), "{collection}");
            for object in there {
                let id = object["id"].as_str().unwrap().to_owned();
                let told = &self.told[&(kind, id)];
                let version = format!("W/\"{}\"", told.version);
                assert_eq!(object["meta"]["version"], *version, "{object}: {told:?}");
                let members = object["members"].as_array().into_iter().flatten();
                let members: BTreeSet<String> = members
                    .map(|member| member["value"].as_str().unwrap().to_owned())
                    .collect();
                assert_eq!(members, told.members, "{object}");
                for name in ["userName", "displayName", "title", "externalId", "active"] {
                    assert_eq!(object[name], told.document[name], "{object}: {told:?}");
                }
            }
        }
    }
}
