//! Draws what is asked next. The names come from one small stock, so that they are taken, given up and taken again.

use rollcall_model::Kind;
use serde_json::{Map, Value, json};

use super::condition::Condition;
use super::deed::{Deed, MemberChange, Order, Shows, name_of, rows_of};
use super::model::Directory;
use crate::chance::Chance;

/// So many names there are for people.
const PEOPLE: usize = 50;
/// So many names there are for groups.
const GROUPS: usize = 14;
const TITLES: [&str; 5] = ["Buyer", "Head of Sales", "Wächter", "Sales", "Intern"];
/// An id that nobody has.
const NOBODY: &str = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77";

/// The ids of the other organisations.
pub(super) struct Foreign<'a> {
    pub(super) own: usize,
    pub(super) ids: &'a [Vec<(Kind, String)>],
}

/// Draws a request.
pub(super) fn deed(chance: &mut Chance, directory: &Directory, foreign: &Foreign<'_>) -> Deed {
    Draw {
        chance,
        directory,
        foreign,
    }
    .deed()
}

struct Draw<'a> {
    chance: &'a mut Chance,
    directory: &'a Directory,
    foreign: &'a Foreign<'a>,
}

impl Draw<'_> {
    fn deed(&mut self) -> Deed {
        let kind = if self.chance.happens(62) {
            Kind::User
        } else {
            Kind::Group
        };
        match self.chance.within(0, 100) {
            0..18 => Deed::Create {
                kind,
                attributes: self.attributes(kind),
                members: self.members_of(kind),
            },
            18..36 => {
                let id = self.target(kind);
                let has = self.version(kind, &id, 20);
                Deed::Get { kind, id, has }
            }
            36..62 => self.patch(kind),
            62..70 => self.put(kind),
            70..80 => {
                let id = self.target(kind);
                let expected = self.version(kind, &id, 15);
                Deed::Delete { kind, id, expected }
            }
            _ => self.list(kind),
        }
    }

    /// Draws an id: mostly of something that is there.
    fn target(&mut self, kind: Kind) -> String {
        let drawn = match self.chance.within(0, 100) {
            0..80 => self.one_of(self.directory.present(kind)),
            80..87 => self.one_of(self.directory.gone(kind)),
            87..97 => self.stranger(kind),
            97..99 => {
                let other = match kind {
                    Kind::User => Kind::Group,
                    Kind::Group => Kind::User,
                };
                self.one_of(self.directory.present(other))
            }
            _ => None,
        };
        drawn.unwrap_or_else(|| NOBODY.to_owned())
    }

    fn one_of(&mut self, ids: Vec<&str>) -> Option<String> {
        self.chance.pick(&ids).map(str::to_owned)
    }

    /// Draws an id of another organisation. However many it has by now, as much chance is used up.
    fn stranger(&mut self, kind: Kind) -> Option<String> {
        let others = self.foreign.ids.len();
        let organisation = (self.foreign.own + self.chance.within(1, others)) % others;
        let place = self.chance.within(0, 1_000_000);
        let ids = self.foreign.ids[organisation].iter();
        let ids: Vec<&String> = ids
            .filter(|(of, _)| *of == kind)
            .map(|(_, id)| id)
            .collect();
        (!ids.is_empty()).then(|| ids[place % ids.len()].clone())
    }

    /// Draws a version that is named now and then: the present one, or another.
    fn version(&mut self, kind: Kind, id: &str, percent: usize) -> Option<u64> {
        let (is_named, is_right) = (self.chance.happens(percent), self.chance.happens(50));
        let version = self.directory.version(kind, id).unwrap_or(1);
        is_named.then_some(if is_right { version } else { version + 1 })
    }

    fn name(&mut self, kind: Kind) -> (usize, String) {
        let (place, name) = match kind {
            Kind::User => {
                let place = self.chance.within(0, PEOPLE);
                (place, format!("user-{place}@example.com"))
            }
            Kind::Group => {
                let place = self.chance.within(0, GROUPS);
                (place, format!("Team {place}"))
            }
        };
        if self.chance.happens(5) {
            return (place, name.to_uppercase());
        }
        (place, name)
    }

    fn external_id(&mut self, place: usize) -> Option<Value> {
        let other = self.chance.within(0, PEOPLE);
        match self.chance.within(0, 10) {
            0..6 => Some(format!("e-{place}").into()),
            6 => Some(format!("E-{other}").into()),
            _ => None,
        }
    }

    fn attributes(&mut self, kind: Kind) -> Map<String, Value> {
        let (place, name) = self.name(kind);
        let mut attributes = Map::new();
        attributes.insert(name_of(kind).to_owned(), name.into());
        if let Some(external_id) = self.external_id(place) {
            attributes.insert("externalId".to_owned(), external_id);
        }
        if kind == Kind::Group {
            return attributes;
        }
        for name in ["title", "nickName", "displayName"] {
            if self.chance.happens(40) {
                attributes.insert(name.to_owned(), self.title());
            }
        }
        if self.chance.happens(40) {
            attributes.insert("active".to_owned(), self.chance.happens(60).into());
        }
        if self.chance.happens(30) {
            let emails = json!([{"value": format!("mail-{place}@example.com"), "type": "work"}]);
            attributes.insert("emails".to_owned(), emails);
        }
        attributes
    }

    fn title(&mut self) -> Value {
        self.chance.pick(&TITLES).unwrap().into()
    }

    fn members_of(&mut self, kind: Kind) -> Vec<String> {
        match kind {
            Kind::User => Vec::new(),
            Kind::Group => self.members(4, 2),
        }
    }

    /// Draws members, of which some out of a hundred are nobody here.
    fn members(&mut self, most: usize, percent: usize) -> Vec<String> {
        let many = self.chance.within(1, most + 1);
        let mut members = Vec::new();
        for _ in 0..many {
            let kind = if self.chance.happens(85) {
                Kind::User
            } else {
                Kind::Group
            };
            let member = if self.chance.happens(percent) {
                Some(self.target(kind))
            } else {
                self.one_of(self.directory.present(kind))
            };
            members.extend(member);
        }
        members
    }

    fn patch(&mut self, kind: Kind) -> Deed {
        let id = self.target(kind);
        let expected = self.version(kind, &id, 15);
        let (mut changes, mut members) = (Vec::new(), Vec::new());
        if kind == Kind::Group {
            for _ in 0..self.chance.within(1, 3) {
                members.push(self.member_change());
            }
            // nothing to name: only a name is changed
            members.retain(|change| !matches!(change,
                MemberChange::Add(ids) | MemberChange::Remove(ids) | MemberChange::RemoveEach(ids) | MemberChange::Replace(ids)
                if ids.is_empty()));
        }
        let many = self.chance.within(1, 4);
        for name in ["title", "nickName", "externalId", "active", "displayName"]
            .into_iter()
            .take(if kind == Kind::User { many + 2 } else { 0 })
        {
            if self.chance.happens(50) {
                changes.push((name, self.value(name)));
            }
        }
        if changes.is_empty() && members.is_empty() || self.chance.happens(12) {
            let name = self.name(kind).1;
            changes.push((name_of(kind), Some(name.into())));
        }
        Deed::Patch {
            kind,
            id,
            changes,
            members,
            expected,
        }
    }

    /// Draws a new value of an attribute; none: it goes.
    fn value(&mut self, name: &str) -> Option<Value> {
        match name {
            "active" => Some(self.chance.happens(60).into()),
            "externalId" => {
                let place = self.chance.within(0, PEOPLE);
                self.external_id(place)
            }
            _ if self.chance.happens(25) => None,
            _ => Some(self.title()),
        }
    }

    fn member_change(&mut self) -> MemberChange {
        match self.chance.within(0, 10) {
            0..5 => MemberChange::Add(self.members(4, 4)),
            5..7 => MemberChange::Remove(self.members(5, 10)),
            7..9 => MemberChange::RemoveEach(self.members(3, 10)),
            _ => MemberChange::Replace(self.members(6, 2)),
        }
    }

    fn put(&mut self, kind: Kind) -> Deed {
        let id = self.target(kind);
        let expected = self.version(kind, &id, 15);
        let mut attributes = self.attributes(kind);
        let keeps = self.chance.happens(75);
        if let (true, Some(name)) = (keeps, self.directory.name(kind, &id)) {
            attributes.insert(name_of(kind).to_owned(), name.into());
        }
        let members = (kind == Kind::Group && self.chance.happens(50)).then(|| self.members(6, 2));
        Deed::Put {
            kind,
            id,
            attributes,
            members,
            expected,
        }
    }

    fn list(&mut self, kind: Kind) -> Deed {
        let condition = self.chance.happens(85).then(|| self.condition(kind, 2));
        let order = match self.chance.within(0, 10) {
            0 => Order::Forwards,
            1 => Order::Backwards,
            _ => Order::Age,
        };
        let shows = match self.chance.within(0, 10) {
            0 | 1 => Shows::NamesOnly,
            2 => Shows::NoRows,
            _ => Shows::Everything,
        };
        let is_paged = self.chance.happens(40);
        let (start, count) = (self.chance.within(1, 12), self.chance.within(0, 15));
        let (start, count) = if is_paged { (start, count) } else { (1, 200) };
        Deed::List {
            kind,
            condition,
            order,
            start,
            count,
            shows,
        }
    }

    fn condition(&mut self, kind: Kind, depth: usize) -> Condition {
        if depth > 0 && self.chance.happens(35) {
            let one = Box::new(self.condition(kind, depth - 1));
            return match self.chance.within(0, 5) {
                0 => Condition::Not(one),
                1 | 2 => Condition::Or(one, Box::new(self.condition(kind, depth - 1))),
                _ => Condition::And(one, Box::new(self.condition(kind, depth - 1))),
            };
        }
        let place = self.chance.within(0, PEOPLE);
        match self.chance.within(0, 10) {
            0..3 => Condition::Equals(name_of(kind), self.name(kind).1),
            3 => {
                let start = if kind == Kind::User {
                    "USER-1"
                } else {
                    "team 1"
                };
                Condition::StartsWith(name_of(kind), start.to_owned())
            }
            4 => Condition::Equals("externalId", format!("e-{place}")),
            5 => {
                let other = match kind {
                    Kind::User => Kind::Group,
                    Kind::Group => Kind::User,
                };
                let id = self.target(other);
                Condition::Related(rows_of(kind), id)
            }
            6 if kind == Kind::User => Condition::Active(self.chance.happens(50)),
            7 => Condition::Present("externalId"),
            8 if kind == Kind::User => Condition::Equals("title", "head of SALES".to_owned()),
            _ if kind == Kind::User => Condition::Contains("displayName", "sAle".to_owned()),
            _ => Condition::Contains("displayName", "M 1".to_owned()),
        }
    }
}
