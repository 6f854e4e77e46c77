//! The people and groups of Northwind: made up, the same every time, shaped like a company's.
//!
//! Ten departments with a head each and reporting lines of eight; offices; project teams; `All staff`, which holds the department
//! groups. Some accounts are blocked. Contractors are in the directory and assigned to nothing.

use rollcall_app::transfer::Listed;
use rollcall_scim::merge::Lists;
use serde_json::{Value, json};

const GIVEN: [&str; 48] = [
    "Adele", "Amir", "Ana", "Arjun", "Astrid", "Bao", "Beatriz", "Carlos", "Chiara", "Chloé",
    "Daan", "Dilara", "Elif", "Emeka", "Erik", "Fatima", "Freya", "Goran", "Hana", "Henrik",
    "Imani", "Ines", "Jakub", "Jin", "Kaito", "Katya", "Leila", "Liam", "Luca", "Maja", "Marco",
    "Mei", "Miguel", "Nadia", "Noah", "Olga", "Omar", "Priya", "Rania", "Rohan", "Sara", "Sofia",
    "Tomás", "Uma", "Viktor", "Wanjiru", "Yara", "Zoë",
];
const FAMILY: [&str; 56] = [
    "Abe", "Almeida", "Andersen", "Bakker", "Banerjee", "Becker", "Bianchi", "Brown", "Chen",
    "Costa", "Dahl", "Demir", "Diaz", "Dubois", "Eriksson", "Evans", "Farah", "Fischer", "García",
    "Greco", "Haddad", "Hansen", "Horvat", "Ito", "Ivanova", "Jansen", "Jensen", "Kaya", "Khan",
    "Kim", "Kowalski", "Kruger", "Larsen", "Lee", "Lopez", "Marino", "Martin", "Mbeki", "Meyer",
    "Moreau", "Müller", "Nakamura", "Nguyen", "Novak", "Okafor", "Oliveira", "Park", "Patel",
    "Petrov", "Rossi", "Sato", "Silva", "Smith", "Tanaka", "Vance", "Weber",
];
const DEPARTMENTS: [(&str, &str, &str); 10] = [
    ("Sales", "Head of Sales", "Account Manager"),
    ("Engineering", "Head of Engineering", "Engineer"),
    ("Support", "Head of Support", "Support Agent"),
    ("Operations", "Head of Operations", "Operator"),
    ("Finance", "Head of Finance", "Accountant"),
    ("Marketing", "Head of Marketing", "Designer"),
    ("Purchasing", "Head of Purchasing", "Buyer"),
    ("Legal", "Head of Legal", "Counsel"),
    ("People", "Head of People", "People Partner"),
    ("Contractors", "Contract Lead", "Contractor"),
];
/// The place of the department that is assigned to nothing.
const CONTRACTORS: usize = 9;
const OFFICES: [(&str, &str, &str); 6] = [
    ("Amsterdam", "NL", "Damrak 1"),
    ("Nairobi", "KE", "Kimathi Street 4"),
    ("Osaka", "JP", "Midosuji 3-1"),
    ("Oslo", "NO", "Karl Johans gate 22"),
    ("Porto", "PT", "Rua das Flores 9"),
    ("Toronto", "CA", "King Street West 100"),
];
/// One project team for so many people.
const PEOPLE_PER_PROJECT: usize = 40;

/// Returns the sign-in name of a person.
pub(super) fn sign_in_name(person: usize) -> String {
    let (given, family) = name(person);
    let fold = |text: &str| -> String {
        let text = text.to_lowercase();
        text.chars()
            .map(|letter| match letter {
                'á' => 'a',
                'é' | 'ë' => 'e',
                'í' => 'i',
                'ü' => 'u',
                other => other,
            })
            .collect()
    };
    let number = person / (GIVEN.len() * FAMILY.len());
    let number = if number == 0 {
        String::new()
    } else {
        (number + 1).to_string()
    };
    format!("{}.{}{number}@northwind.example", fold(given), fold(family))
}

/// Returns the given and the family name of a person. No two of the first 2 688 share both.
pub(super) fn name(person: usize) -> (&'static str, &'static str) {
    let given = person % GIVEN.len();
    // a different family name on every round through the given names
    let family = (person / GIVEN.len() + given * 5) % FAMILY.len();
    let at =
        |list: &'static [&'static str], place: usize| list.get(place).copied().unwrap_or("Ada");
    (at(&GIVEN, given), at(&FAMILY, family))
}

/// Returns the group of a department.
pub(super) fn department(place: usize) -> &'static str {
    DEPARTMENTS
        .get(place % DEPARTMENTS.len())
        .map_or("Sales", |(name, ..)| name)
}

/// Makes the people.
pub(super) fn people(count: usize) -> Vec<Listed> {
    (0..count)
        .map(|person| listed(person, user(person, count), Vec::new(), manager(person)))
        .collect()
}

/// Makes the groups of so many people.
pub(super) fn groups(count: usize) -> Vec<Listed> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for place in 0..DEPARTMENTS.len() {
        let members = (0..count).filter(|person| person % DEPARTMENTS.len() == place);
        groups.push((
            department(place).to_owned(),
            members.map(reference).collect(),
        ));
    }
    for (place, (city, ..)) in OFFICES.iter().enumerate() {
        let staff = (0..count).filter(|person| !is_contractor(*person));
        let members = staff
            .filter(|person| office(*person) == place)
            .map(reference);
        groups.push((format!("{city} office"), members.collect()));
    }
    for project in 0..count / PEOPLE_PER_PROJECT {
        // a stride that meets all departments but one
        let members = (0..12).map(|step| (project * 37 + step * 29) % count);
        let mut members: Vec<usize> = members.filter(|person| !is_contractor(*person)).collect();
        members.sort_unstable();
        members.dedup();
        groups.push((
            format!("Project {}", project + 1),
            members.into_iter().map(reference).collect(),
        ));
    }
    let departments = (0..CONTRACTORS).map(|place| department(place).to_owned());
    groups.push(("All staff".to_owned(), departments.collect()));
    let made = groups.into_iter().enumerate();
    made.map(|(place, (name, members))| {
        let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name});
        Listed { reference: None, ..listed(place, body, members, None) }
    })
    .collect()
}

/// Tells whether a person is in the department that is assigned to nothing.
pub(super) fn is_contractor(person: usize) -> bool {
    person % DEPARTMENTS.len() == CONTRACTORS
}

fn listed(place: usize, body: Value, members: Vec<String>, manager: Option<usize>) -> Listed {
    Listed {
        file: "the demo".into(),
        line: place as u64 + 1,
        reference: Some(reference(place)),
        body,
        lists: Lists::Whole,
        members,
        manager: manager.map(reference),
    }
}

fn reference(person: usize) -> String {
    format!("person {person}")
}

fn office(person: usize) -> usize {
    (person / 3) % OFFICES.len()
}

/// Returns who leads a person: in the department, one of eight reports to the next; heads report to the first person.
fn manager(person: usize) -> Option<usize> {
    let (place, department) = (person / DEPARTMENTS.len(), person % DEPARTMENTS.len());
    match (person, place) {
        (0, _) => None,
        (_, 0) => Some(0),
        _ => Some((place - 1) / 8 * DEPARTMENTS.len() + department),
    }
}

fn user(person: usize, count: usize) -> Value {
    let (given, family) = name(person);
    let sign_in_name = sign_in_name(person);
    let place = person % DEPARTMENTS.len();
    let (department, head, title) =
        DEPARTMENTS
            .get(place)
            .copied()
            .unwrap_or(("Sales", "Head of Sales", "Account Manager"));
    let title = match person {
        0 => "Managing Director",
        _ if person < DEPARTMENTS.len() => head,
        _ => title,
    };
    let (city, country, street) =
        OFFICES
            .get(office(person))
            .copied()
            .unwrap_or(("Oslo", "NO", "Karl Johans gate 22"));
    // one account in fifty is blocked, nobody who leads
    let is_active = person * 8 < count || person % 50 != 17;
    json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ],
        "userName": sign_in_name,
        "displayName": format!("{given} {family}"),
        "name": {"givenName": given, "familyName": family},
        "title": title,
        "active": is_active,
        "emails": [{"value": sign_in_name, "type": "work", "primary": true}],
        "phoneNumbers": [{"value": format!("+31 20 555 {:04}", person % 10_000), "type": "work"}],
        "addresses": [{"type": "work", "streetAddress": street, "locality": city, "country": country}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": format!("{:06}", 100_000 + person),
            "department": department,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everybody_has_a_name_of_their_own_and_a_manager_who_exists() {
        let people = people(20_000);
        let names: BTreeSet<String> = (0..20_000).map(sign_in_name).collect();

        assert_eq!(names.len(), 20_000);
        for (person, listed) in people.iter().enumerate() {
            let manager = manager(person);
            assert!(manager.is_none_or(|manager| manager < person), "{person}");
            assert_eq!(listed.manager, manager.map(reference));
        }
    }

    #[test]
    fn members_of_groups_are_people_or_groups_of_the_list() {
        let groups = groups(500);
        let names: BTreeSet<&str> = groups
            .iter()
            .filter_map(|group| group.body["displayName"].as_str())
            .collect();
        let people: BTreeSet<String> = (0..500).map(reference).collect();

        assert_eq!(names.len(), groups.len());
        for group in &groups {
            for member in &group.members {
                assert!(
                    people.contains(member) || names.contains(member.as_str()),
                    "{member}"
                );
            }
        }
    }
}
