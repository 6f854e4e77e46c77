//! What other systems are told: events, made of the entries of an organisation's change feed.
//!
//! **Is:** what an entry of the feed is to others, as a pure function, and the form in which it is sent. An event holds no value of any
//! attribute: it says what changed, and whoever may see more asks for it.
//! **Is not:** delivery; what is delivered to whom is in [`crate::webhook`].
//! **Start at** [`Event::of`].

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Action, ActorKind, Change, Kind, OrgId, RequestId, ResourceId, Slug};

/// What happened, as others name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// Somebody arrived, or came back.
    UserCreated,
    /// Somebody's attributes changed, or who manages them.
    UserUpdated,
    /// Somebody was switched off.
    UserDisabled,
    /// Somebody was switched on again.
    UserEnabled,
    /// Somebody is gone.
    UserDeleted,
    /// A group arrived, or came back.
    GroupCreated,
    /// A group's attributes changed, or who manages it.
    GroupUpdated,
    /// A group's members changed.
    GroupMembersChanged,
    /// A group is gone.
    GroupDeleted,
    /// Nothing: somebody tries the way.
    Test,
}

/// A text names no type of event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no type of event: they are {list}", list = EventType::list())]
pub struct NoEventType(String);

impl EventType {
    /// Those that one can be told of, in the order in which they are listed.
    pub const ALL: [Self; 9] = [
        Self::UserCreated,
        Self::UserUpdated,
        Self::UserDisabled,
        Self::UserEnabled,
        Self::UserDeleted,
        Self::GroupCreated,
        Self::GroupUpdated,
        Self::GroupMembersChanged,
        Self::GroupDeleted,
    ];

    /// Returns its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::UserCreated => "user.created",
            Self::UserUpdated => "user.updated",
            Self::UserDisabled => "user.disabled",
            Self::UserEnabled => "user.enabled",
            Self::UserDeleted => "user.deleted",
            Self::GroupCreated => "group.created",
            Self::GroupUpdated => "group.updated",
            Self::GroupMembersChanged => "group.members_changed",
            Self::GroupDeleted => "group.deleted",
            Self::Test => "webhook.test",
        }
    }

    fn list() -> String {
        Self::ALL.map(Self::word).join(", ")
    }

    fn of(kind: Kind, action: Action) -> Self {
        match (kind, action) {
            (Kind::User, Action::Created) => Self::UserCreated,
            (Kind::User, Action::Adopted | Action::Updated | Action::Members) => Self::UserUpdated,
            (Kind::User, Action::Disabled) => Self::UserDisabled,
            (Kind::User, Action::Enabled) => Self::UserEnabled,
            (Kind::User, Action::Deleted) => Self::UserDeleted,
            (Kind::Group, Action::Created) => Self::GroupCreated,
            (
                Kind::Group,
                Action::Adopted | Action::Updated | Action::Disabled | Action::Enabled,
            ) => Self::GroupUpdated,
            (Kind::Group, Action::Members) => Self::GroupMembersChanged,
            (Kind::Group, Action::Deleted) => Self::GroupDeleted,
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for EventType {
    type Err = NoEventType;

    fn from_str(text: &str) -> Result<Self, NoEventType> {
        let known = Self::ALL.into_iter().find(|known| known.word() == text);
        known.ok_or_else(|| NoEventType(text.chars().take(64).collect()))
    }
}

impl Serialize for EventType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == Self::Test.word() {
            return Ok(Self::Test);
        }
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What somebody is told. Its JSON is what is sent, byte for byte the same at each try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its id: the same at each try and for each receiver, another one for each event.
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When.
    pub time: Timestamp,
    /// In which organisation, by its name in URLs.
    pub organisation: Slug,
    /// To what; absent in a test.
    pub object: Option<Object>,
    /// The names of the attributes that changed; empty when the object is new or gone.
    pub changed: Vec<String>,
    /// Who changed it; absent where that was not noted.
    pub actor: Option<ActorKind>,
}

/// What something happened to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ObjectKind,
    /// Its SCIM id.
    pub id: ResourceId,
    /// Its version afterwards; absent when it is gone.
    pub version: Option<u64>,
}

/// A kind of object, by the name of its SCIM resource type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObjectKind {
    /// A person.
    User,
    /// A group.
    Group,
}

impl Event {
    /// Returns what an entry of the feed is to others. The id follows from organisation, place and time of the entry, so it comes out the
    /// same whenever it is asked for, and differs from that of an entry which had the place before a store was restored.
    pub fn of(change: &Change, organisation: OrgId, slug: &Slug) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"rollcall event ");
        digest.update(organisation.as_bytes());
        digest.update(change.sequence.to_be_bytes());
        digest.update(change.at.as_microsecond().to_be_bytes());
        let kind = EventType::of(change.kind, change.action);
        let is_whole = matches!(change.action, Action::Created | Action::Deleted);
        Self {
            id: id(&digest.finalize()),
            kind,
            time: change.at,
            organisation: slug.clone(),
            object: Some(Object {
                kind: match change.kind {
                    Kind::User => ObjectKind::User,
                    Kind::Group => ObjectKind::Group,
                },
                id: change.id,
                version: change.summary.version,
            }),
            changed: if is_whole {
                Vec::new()
            } else {
                change.summary.attributes.clone()
            },
            actor: change.summary.actor,
        }
    }

    /// Returns an event by which somebody tries the way.
    pub fn test(request: RequestId, slug: &Slug, now: Timestamp, actor: ActorKind) -> Self {
        let digest = Sha256::new_with_prefix(b"rollcall test event ");
        Self {
            id: id(&digest.chain_update(request.as_bytes()).finalize()),
            kind: EventType::Test,
            time: now,
            organisation: slug.clone(),
            object: None,
            changed: Vec::new(),
            actor: Some(actor),
        }
    }

    /// Tells whether it is also an event of another type, besides its own: one change may switch somebody off and rename them, or rename a
    /// group and change its members. Whoever wants to know of the one must not miss it for the other.
    pub fn is_also(&self, other: EventType) -> bool {
        match (self.kind, other) {
            (EventType::UserDisabled | EventType::UserEnabled, EventType::UserUpdated) => {
                self.changed.iter().any(|name| name != "active")
            }
            (EventType::GroupUpdated, EventType::GroupMembersChanged) => {
                self.changed.iter().any(|name| name == "members")
            }
            _ => false,
        }
    }
}

fn id(digest: &[u8]) -> String {
    let hexadecimal = digest.iter().take(16).map(|byte| format!("{byte:02x}"));
    format!("evt_{}", hexadecimal.collect::<String>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Membership, Summary};

    fn change(kind: Kind, action: Action, attributes: &[&str]) -> Change {
        Change {
            sequence: 7,
            at: Timestamp::UNIX_EPOCH,
            kind,
            id: ResourceId::from_bytes([9; 16]),
            action,
            document: Some(json!({"userName": "canary@example.com", "title": "canary"})),
            membership: Membership::default(),
            summary: Summary {
                version: Some(4),
                actor: Some(ActorKind::Integration),
                attributes: attributes.iter().map(ToString::to_string).collect(),
            },
        }
    }

    fn event(change: &Change) -> Event {
        Event::of(
            change,
            OrgId::from_bytes([1; 16]),
            &"vault".parse().unwrap(),
        )
    }

    #[test]
    fn an_event_says_what_changed_and_holds_no_value() {
        let told = event(&change(Kind::User, Action::Updated, &["title", "emails"]));

        let sent = serde_json::to_value(&told).unwrap();

        assert_eq!(
            sent,
            json!({
                "id": told.id, "type": "user.updated", "time": "1970-01-01T00:00:00Z", "organisation": "vault",
                "object": {"type": "User", "id": "09090909-0909-0909-0909-090909090909", "version": 4},
                "changed": ["title", "emails"], "actor": "integration",
            })
        );
        assert_eq!(serde_json::from_value::<Event>(sent).unwrap(), told);
    }

    #[test]
    fn the_id_is_the_same_each_time_and_another_at_another_place_time_or_organisation() {
        let one = change(Kind::User, Action::Updated, &[]);
        let elsewhere = Change {
            sequence: 8,
            ..one.clone()
        };
        // what came to the same place after a store was restored
        let later = Change {
            at: Timestamp::from_second(1).unwrap(),
            ..one.clone()
        };
        let foreign = Event::of(&one, OrgId::from_bytes([2; 16]), &"vault".parse().unwrap());

        let ids = [&one, &elsewhere, &later].map(|change| event(change).id);

        assert_eq!(event(&one).id, ids[0]);
        let mut all = ids.to_vec();
        all.push(foreign.id);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4);
        assert_eq!(ids[0].len(), "evt_".len() + 32);
    }

    #[test]
    fn whatever_happens_has_a_type_and_types_read_back() {
        let actions = [
            Action::Created,
            Action::Adopted,
            Action::Updated,
            Action::Disabled,
            Action::Enabled,
            Action::Deleted,
            Action::Members,
        ];
        let told = [Kind::User, Kind::Group].map(|kind| {
            actions
                .map(|action| EventType::of(kind, action).to_string())
                .join(" ")
        });

        assert_eq!(
            told,
            [
                "user.created user.updated user.updated user.disabled user.enabled user.deleted user.updated",
                "group.created group.updated group.updated group.updated group.updated group.deleted group.members_changed"
            ]
        );
        for kind in EventType::ALL {
            assert_eq!(kind.word().parse(), Ok(kind));
        }
        let unknown = "user.renamed".parse::<EventType>().unwrap_err();
        assert!(unknown.to_string().contains("user.disabled"), "{unknown}");
    }

    #[test]
    fn a_change_of_two_sorts_is_missed_by_nobody() {
        let dismissed = event(&change(Kind::User, Action::Disabled, &["active"]));
        let renamed_too = event(&change(Kind::User, Action::Disabled, &["active", "title"]));
        let group = event(&change(
            Kind::Group,
            Action::Updated,
            &["displayName", "members"],
        ));

        assert!(!dismissed.is_also(EventType::UserUpdated));
        assert!(renamed_too.is_also(EventType::UserUpdated));
        assert!(group.is_also(EventType::GroupMembersChanged));
        assert!(!group.is_also(EventType::GroupDeleted));
    }
}
