//! What a cycle would do, before it does it.
//!
//! **Is:** everything that would be written, object by object, with the requests; for people as text, worst first, and as a file that a run
//! carries out exactly or refuses ([`document`]).
//! **Is not:** decided here; the engine asks the same tasks as a run, and stops before the first write.
//! **Start at** [`Plan`].

pub mod document;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use rollcall_model::provisioning::{CycleKind, ModifiedProperty};
use rollcall_model::{ApplicationId, Kind, ResourceId};
use serde::{Deserialize, Serialize};

use crate::request::Request;
use crate::task::Decision;

/// What would be done with one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// Its kind.
    pub kind: Kind,
    /// Its id at the source.
    pub object: ResourceId,
    /// Its name for people.
    pub name: String,
    /// What would be done.
    pub decision: Decision,
    /// The code of the provisioning log, when it is left out, held or failing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The matching attribute by which its counterpart was found, when it is adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<String>,
    /// What would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<ModifiedProperty>,
    /// What would be sent; values that must not be seen are `[Redact]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<Request>,
}

/// References of a person, such as the manager, that would be set or taken away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedReferences {
    /// The person.
    pub object: ResourceId,
    /// Their name for people.
    pub name: String,
    /// What would be sent.
    pub requests: Vec<Request>,
}

/// Members of a group that would be added and taken out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedMembers {
    /// The group.
    pub object: ResourceId,
    /// Its name for people.
    pub name: String,
    /// How many would be added.
    pub added: u64,
    /// How many would be taken out.
    pub removed: u64,
    /// What would be sent.
    pub requests: Vec<Request>,
}

/// Somebody who would be created though the target has an account that looks like his.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suspect {
    /// Who would be created.
    pub name: String,
    /// The account that is there, by its userName or id.
    pub account: String,
    /// What both have in common: an attribute of the target.
    pub attribute: String,
    /// Its value.
    pub value: String,
}

/// What the deletion guard would hold back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// How many would leave.
    pub leaving: u64,
    /// How many have left in the last day.
    pub recent: u64,
    /// How many may leave in a day.
    pub limit: u64,
    /// The code by which exactly this list can be allowed.
    pub code: String,
}

/// What the plan was made from. When one of it has moved, the plan is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grounds {
    /// The application.
    pub application: ApplicationId,
    /// Its Tenant URL.
    pub target: String,
    /// The place in the source's change feed.
    pub source: u64,
    /// A digest of rules and assignments.
    pub configuration: String,
    /// How many words of administrators the job has heard.
    pub words: u64,
}

/// How many objects of a kind have a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The decision.
    pub decision: Decision,
    /// The kind.
    pub kind: Kind,
    /// How many.
    pub count: u64,
}

/// What a cycle would do, worst first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The instant for which everything was decided.
    pub made: Timestamp,
    /// Whether the whole source was looked at.
    pub kind: CycleKind,
    /// Whether it is the first cycle of all: nobody is linked yet.
    pub is_first: bool,
    /// What it was made from.
    pub grounds: Grounds,
    /// What the guard would hold back; then nothing else would be done either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<HeldBack>,
    /// How many of each kind there are of each decision, in order.
    pub counts: Vec<Count>,
    /// The objects with which something would be done, or that would be left out for a reason worth reading.
    pub objects: Vec<Planned>,
    /// References that would be set or taken away, in order of id.
    pub references: Vec<PlannedReferences>,
    /// Memberships that would change, in order of the groups' ids.
    pub memberships: Vec<PlannedMembers>,
    /// In a first cycle: who would become a duplicate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspects: Vec<Suspect>,
    /// What whoever reads the plan should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Plan {
    /// Makes a plan in which nothing is done.
    pub fn new(made: Timestamp, kind: CycleKind, is_first: bool, grounds: Grounds) -> Self {
        Self {
            made,
            kind,
            is_first,
            grounds,
            held_back: None,
            counts: Vec::new(),
            objects: Vec::new(),
            references: Vec::new(),
            memberships: Vec::new(),
            suspects: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds an object.
    pub fn add(&mut self, planned: Planned) {
        let (decision, kind) = (planned.decision, planned.kind);
        let there = self
            .counts
            .iter_mut()
            .find(|count| (count.decision, count.kind) == (decision, kind));
        match there {
            Some(there) => there.count += 1,
            None => self.counts.push(Count {
                decision,
                kind,
                count: 1,
            }),
        }
        if decision != Decision::Keep {
            self.objects.push(planned);
        }
    }

    /// Puts everything in order, worst first.
    pub fn sort(&mut self) {
        self.counts
            .sort_by_key(|count| (count.decision, count.kind));
        self.objects.sort_by(|a, b| {
            (a.decision, a.kind, &a.name, a.object).cmp(&(b.decision, b.kind, &b.name, b.object))
        });
        self.references.sort_by_key(|planned| planned.object);
        self.memberships.sort_by_key(|planned| planned.object);
        self.suspects.sort();
    }

    /// Returns how many objects of a kind have a decision.
    pub fn count(&self, decision: Decision, kind: Kind) -> u64 {
        let there = self
            .counts
            .iter()
            .find(|count| (count.decision, count.kind) == (decision, kind));
        there.map_or(0, |there| there.count)
    }

    /// Returns how many memberships would be added and removed.
    pub fn membership_counts(&self) -> (u64, u64) {
        self.memberships
            .iter()
            .fold((0, 0), |(added, removed), one| {
                (added + one.added, removed + one.removed)
            })
    }

    /// Tells whether nothing would be done.
    pub fn is_empty(&self) -> bool {
        let does = |count: &Count| !matches!(count.decision, Decision::Keep | Decision::Skip);
        self.memberships.is_empty() && self.references.is_empty() && !self.counts.iter().any(does)
    }

    /// Returns the requests that would be sent, by object, each in the order in which they go out.
    pub fn requests(&self) -> BTreeMap<(Kind, ResourceId), Vec<Request>> {
        let mut all: BTreeMap<_, Vec<Request>> = BTreeMap::new();
        let objects = self
            .objects
            .iter()
            .map(|one| ((one.kind, one.object), &one.requests));
        let references = self
            .references
            .iter()
            .map(|one| ((Kind::User, one.object), &one.requests));
        let members = self
            .memberships
            .iter()
            .map(|one| ((Kind::Group, one.object), &one.requests));
        for (key, requests) in objects.chain(references).chain(members) {
            if !requests.is_empty() {
                all.entry(key).or_default().extend(requests.iter().cloned());
            }
        }
        all
    }

    /// Returns the plan as text: the counts, then `shown` objects of each decision.
    pub fn text(&self, shown: usize) -> String {
        let mut text = String::new();
        // writing to a text cannot fail
        if let Some(held) = &self.held_back {
            let _ = writeln!(
                text,
                "the deletion guard would stop this cycle: {} would leave after {} in the last day, and {} may; run it to have them listed",
                held.leaving, held.recent, held.limit
            );
        }
        for decision in ORDER {
            let (users, groups) = (
                self.count(decision, Kind::User),
                self.count(decision, Kind::Group),
            );
            if users + groups == 0 {
                continue;
            }
            let _ = writeln!(text, "{:<8} {}", word(decision), amount(users, groups));
            let of_it = self
                .objects
                .iter()
                .filter(|planned| planned.decision == decision);
            for planned in of_it.clone().take(shown) {
                let _ = writeln!(text, "  {}{}", planned.name, details(planned));
            }
            rest(&mut text, of_it.count(), shown);
        }
        if !self.references.is_empty() {
            let _ = writeln!(text, "managers {} set or removed", self.references.len());
        }
        let (added, removed) = self.membership_counts();
        if added + removed > 0 {
            let _ = writeln!(text, "members  {added} added, {removed} removed");
        }
        if text.is_empty() {
            text.push_str("nothing to do: both ends agree\n");
        }
        self.first_report(&mut text, shown);
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }

    /// Says what a first cycle makes of those who are there already.
    fn first_report(&self, text: &mut String, shown: usize) {
        if !self.is_first || self.held_back.is_some() {
            return;
        }
        let mut by: BTreeMap<&str, u64> = BTreeMap::new();
        for planned in &self.objects {
            if let Some(attribute) = &planned.matched {
                *by.entry(attribute).or_default() += 1;
            }
        }
        let _ = writeln!(text, "\nfirst cycle: nobody is linked yet");
        for (attribute, count) in by {
            let _ = writeln!(text, "  {count} found in the target by {attribute}");
        }
        let created = self.count(Decision::Create, Kind::User);
        let _ = writeln!(text, "  {created} not there under any matching attribute");
        if self.suspects.is_empty() {
            return;
        }
        let _ = writeln!(
            text,
            "  {} of them look like an account that is there, and would become duplicates:",
            self.suspects.len()
        );
        for suspect in self.suspects.iter().take(shown) {
            let Suspect {
                name,
                account,
                attribute,
                value,
            } = suspect;
            let _ = writeln!(text, "    {name} like {account}: {attribute} is `{value}`");
        }
        rest(text, self.suspects.len(), shown);
    }
}

/// The decisions in the order in which people should read them.
const ORDER: [Decision; 8] = [
    Decision::Delete,
    Decision::Disable,
    Decision::Hold,
    Decision::Fail,
    Decision::Create,
    Decision::Adopt,
    Decision::Update,
    Decision::Skip,
];

fn rest(text: &mut String, count: usize, shown: usize) {
    let rest = count.saturating_sub(shown);
    if rest > 0 {
        let _ = writeln!(text, "  … and {rest} more");
    }
}

/// So many changes of one object are shown.
const SHOWN_CHANGES: usize = 4;

/// Returns the word for a decision.
pub fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Delete => "delete",
        Decision::Disable => "disable",
        Decision::Hold => "hold",
        Decision::Fail => "fail",
        Decision::Create => "create",
        Decision::Adopt => "adopt",
        Decision::Update => "update",
        Decision::Keep => "keep",
        Decision::Skip => "skip",
    }
}

fn amount(users: u64, groups: u64) -> String {
    let counted = |count: u64, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let parts = [
        counted(users, "person", "people"),
        counted(groups, "group", "groups"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn details(planned: &Planned) -> String {
    if let Some(reason) = &planned.reason {
        return format!(": {reason}");
    }
    if !matches!(
        planned.decision,
        Decision::Update | Decision::Adopt | Decision::Disable
    ) {
        return String::new();
    }
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
    let shown = planned.properties.iter().take(SHOWN_CHANGES);
    let mut changes: Vec<String> = shown
        .map(|property| {
            let (old, new) = (value(&property.old_value), value(&property.new_value));
            format!("{} {old} → {new}", short(&property.display_name))
        })
        .collect();
    let rest = planned.properties.len().saturating_sub(SHOWN_CHANGES);
    if rest > 0 {
        changes.push(format!("{rest} more"));
    }
    if changes.is_empty() {
        String::new()
    } else {
        format!(": {}", changes.join(", "))
    }
}

/// Leaves out the schema in front of an attribute's name.
fn short(path: &str) -> &str {
    if path.starts_with("urn:") {
        path.rsplit(':').next().unwrap_or(path)
    } else {
        path
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::placeholder;

    const ID: &str = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77";

    fn planned(decision: Decision, name: &str, properties: &[(&str, &str, &str)]) -> Planned {
        let mut id = [0; 16];
        id[..name.len()].copy_from_slice(name.as_bytes());
        Planned {
            kind: Kind::User,
            object: ResourceId::from_bytes(id),
            name: name.to_owned(),
            decision,
            code: None,
            reason: None,
            matched: None,
            properties: properties
                .iter()
                .map(|(path, old, new)| ModifiedProperty {
                    display_name: (*path).to_owned(),
                    old_value: (!old.is_empty()).then(|| (*old).to_owned()),
                    new_value: Some((*new).to_owned()),
                })
                .collect(),
            requests: Vec::new(),
        }
    }

    pub(crate) fn empty() -> Plan {
        let grounds = Grounds {
            application: ID.parse().unwrap(),
            target: "https://app.example.com/scim".into(),
            source: 7,
            configuration: "abc".into(),
            words: 1,
        };
        Plan::new(
            Timestamp::UNIX_EPOCH,
            CycleKind::Incremental,
            false,
            grounds,
        )
    }

    pub(crate) fn some() -> Plan {
        let mut plan = empty();
        plan.add(planned(Decision::Keep, "kim", &[]));
        let mut cleo = planned(Decision::Create, "cleo", &[]);
        cleo.requests.push(Request {
            method: "POST".into(),
            path: "/Users".into(),
            body: Some(json!({"userName": "cleo"})),
        });
        plan.add(cleo);
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
        plan.add(planned(
            Decision::Update,
            "ulla",
            &[("title", "", "Buyer"), (enterprise, "A", "B")],
        ));
        for name in ["dan", "dora", "dirk"] {
            plan.add(planned(Decision::Delete, name, &[]));
        }
        let id: ResourceId = ID.parse().unwrap();
        plan.memberships.push(PlannedMembers {
            object: id,
            name: "Team".into(),
            added: 2,
            removed: 1,
            requests: vec![Request {
                method: "PATCH".into(),
                path: "/Groups/g1".into(),
                body: Some(json!({"Operations": [placeholder(id)]})),
            }],
        });
        plan.sort();
        plan
    }

    #[test]
    fn a_plan_reads_worst_first_with_old_and_new_values() {
        insta::assert_snapshot!(some().text(2), @"
        delete   3 people
          dan
          dirk
          … and 1 more
        create   1 person
          cleo
        update   1 person
          ulla: title – → Buyer, department A → B
        members  2 added, 1 removed
        ");
    }

    #[test]
    fn a_plan_that_does_nothing_says_so() {
        let mut plan = empty();
        plan.add(planned(Decision::Keep, "kim", &[]));

        assert!(plan.is_empty());
        assert_eq!(plan.text(3), "nothing to do: both ends agree\n");
    }

    #[test]
    fn a_first_plan_tells_who_is_adopted_and_who_would_become_a_duplicate() {
        let mut plan = empty();
        plan.is_first = true;
        plan.add(Planned {
            matched: Some("userName".into()),
            ..planned(Decision::Adopt, "ann", &[])
        });
        plan.add(planned(Decision::Create, "bob", &[]));
        plan.suspects.push(Suspect {
            name: "bob".into(),
            account: "robert".into(),
            attribute: "displayName".into(),
            value: "Bob Bo".into(),
        });
        plan.sort();

        insta::assert_snapshot!(plan.text(2), @"
        create   1 person
          bob
        adopt    1 person
          ann

        first cycle: nobody is linked yet
          1 found in the target by userName
          1 not there under any matching attribute
          1 of them look like an account that is there, and would become duplicates:
            bob like robert: displayName is `Bob Bo`
        ");
    }
}
