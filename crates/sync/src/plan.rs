//! What a cycle would do: the same decisions, stopped before the write.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rollcall_model::provisioning::ModifiedProperty;
use rollcall_model::{Kind, ResourceId};

use crate::task::Decision;

/// What would be done with one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Its kind.
    pub kind: Kind,
    /// Its id at the source.
    pub object: ResourceId,
    /// Its name for people.
    pub name: String,
    /// What would be done.
    pub decision: Decision,
    /// Why, when it is left out, held or failing.
    pub reason: Option<String>,
    /// What would change.
    pub properties: Vec<ModifiedProperty>,
}

/// What a cycle would do, worst first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The objects with which something would be done, or that would be left out for a reason worth reading.
    pub objects: Vec<Planned>,
    /// How many of each kind there are of each decision.
    pub counts: BTreeMap<(Decision, Kind), u64>,
    /// For how many people references, such as the manager, would be set or taken away.
    pub references: u64,
    /// How many memberships would be added and removed.
    pub memberships: (u64, u64),
}

impl Plan {
    /// Adds an object.
    pub fn add(&mut self, planned: Planned) {
        *self
            .counts
            .entry((planned.decision, planned.kind))
            .or_default() += 1;
        if !matches!(planned.decision, Decision::Keep) {
            self.objects.push(planned);
        }
    }

    /// Puts the objects in order, worst first.
    pub fn sort(&mut self) {
        self.objects
            .sort_by(|a, b| (a.decision, a.kind, &a.name).cmp(&(b.decision, b.kind, &b.name)));
    }

    /// Returns how many objects of a kind have a decision.
    pub fn count(&self, decision: Decision, kind: Kind) -> u64 {
        self.counts
            .get(&(decision, kind))
            .copied()
            .unwrap_or_default()
    }

    /// Tells whether nothing would be done.
    pub fn is_empty(&self) -> bool {
        let does = |decision: &Decision| !matches!(decision, Decision::Keep | Decision::Skip);
        self.memberships == (0, 0)
            && self.references == 0
            && !self.counts.keys().any(|(decision, _)| does(decision))
    }

    /// Returns the plan as text: the counts, then `shown` objects of each decision.
    pub fn text(&self, shown: usize) -> String {
        let mut text = String::new();
        for decision in [
            Decision::Delete,
            Decision::Disable,
            Decision::Hold,
            Decision::Fail,
            Decision::Create,
            Decision::Adopt,
            Decision::Update,
            Decision::Skip,
        ] {
            let (users, groups) = (
                self.count(decision, Kind::User),
                self.count(decision, Kind::Group),
            );
            if users + groups == 0 {
                continue;
            }
            // writing to a text cannot fail
            let _ = writeln!(text, "{:<8} {}", word(decision), amount(users, groups));
            let of_it = self
                .objects
                .iter()
                .filter(|planned| planned.decision == decision);
            for planned in of_it.clone().take(shown) {
                let _ = writeln!(text, "  {}{}", planned.name, details(planned));
            }
            let rest = of_it.count().saturating_sub(shown);
            if rest > 0 {
                let _ = writeln!(text, "  … and {rest} more");
            }
        }
        if self.references > 0 {
            let _ = writeln!(text, "managers {} set or removed", self.references);
        }
        let (added, removed) = self.memberships;
        if added + removed > 0 {
            let _ = writeln!(text, "members  {added} added, {removed} removed");
        }
        if text.is_empty() {
            text.push_str("nothing to do: both ends agree\n");
        }
        text
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
mod tests {
    use super::*;

    fn planned(decision: Decision, name: &str, properties: &[(&str, &str, &str)]) -> Planned {
        Planned {
            kind: Kind::User,
            object: "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77".parse().unwrap(),
            name: name.to_owned(),
            decision,
            reason: None,
            properties: properties
                .iter()
                .map(|(path, old, new)| ModifiedProperty {
                    display_name: (*path).to_owned(),
                    old_value: (!old.is_empty()).then(|| (*old).to_owned()),
                    new_value: Some((*new).to_owned()),
                })
                .collect(),
        }
    }

    #[test]
    fn a_plan_reads_worst_first_with_old_and_new_values() {
        let mut plan = Plan::default();
        plan.add(planned(Decision::Keep, "kim", &[]));
        plan.add(planned(Decision::Create, "cleo", &[]));
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
        plan.add(planned(
            Decision::Update,
            "ulla",
            &[("title", "", "Buyer"), (enterprise, "A", "B")],
        ));
        for name in ["dan", "dora", "dirk"] {
            plan.add(planned(Decision::Delete, name, &[]));
        }
        plan.memberships = (2, 1);
        plan.sort();

        insta::assert_snapshot!(plan.text(2), @"
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
        let mut plan = Plan::default();
        plan.add(planned(Decision::Keep, "kim", &[]));

        assert!(plan.is_empty());
        assert_eq!(plan.text(3), "nothing to do: both ends agree\n");
    }
}
