//! A plan that was read is what is done, byte for byte, or nothing is.

use std::collections::BTreeMap;

use rollcall_model::Kind;
use serde_json::{Value, json};

use super::desk::{Desk, sent};

const SOURCE: &str = "kind = \"csv\"\nusers = \"people.csv\"\ngroups = \"groups.csv\"";

/// A job in the middle of its life: something of everything is to be done.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.job(SOURCE, "[safety]\nleaving = \"disable\"");
    desk.write(
        "people.csv",
        "objectId,userName,jobTitle,manager,active\n1,ann,Buyer,,\n2,bob,,ann,\n3,cleo,,,\n4,dan,,,\n7,fay,,,\n",
    );
    desk.write(
        "groups.csv",
        "id,displayName,members\ng1,Team,ann;bob\ng2,Crew,cleo\n",
    );
    desk.ok(&["run"]);
    // somebody of the target whom the source has from now on
    let early = json!({"userName": "early", "active": true});
    desk.target.insert(Kind::User, early).unwrap();
    desk.write(
        "people.csv",
        r#"objectId,userName,jobTitle,manager,active
1,ann,Seller,,
2,bob.lee,,new,
3,cleo,,ann,
5,new,"Späte ""Eule""",ann,
6,early,,,
7,fay,,,false
"#,
    );
    desk.write(
        "groups.csv",
        "id,displayName,members\ng1,Team,ann;new;early\ng3,Fresh,new;Team\n",
    );
    desk
}

/// Returns what a plan file says is sent, by object: deletions, people and groups, then managers, then members.
fn planned(desk: &Desk, file: &str) -> BTreeMap<String, Vec<String>> {
    let document: Value = serde_json::from_str(&desk.read(file)).unwrap();
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for part in ["objects", "references", "memberships"] {
        for one in document["plan"][part].as_array().unwrap() {
            let requests = one["requests"].as_array().into_iter().flatten();
            let lines = requests.map(|request| {
                let word = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
                let body = request
                    .get("body")
                    .map(Value::to_string)
                    .unwrap_or_default();
                format!("{} {} {body}", word("method"), word("path"))
                    .trim_end()
                    .to_owned()
            });
            let object = one["object"].as_str().unwrap().to_owned();
            all.entry(object).or_default().extend(lines);
        }
    }
    all.retain(|_, lines| !lines.is_empty());
    all
}

/// Puts the ids that the target gave in place of the plan's placeholders.
fn filled(desk: &Desk, planned: BTreeMap<String, Vec<String>>) -> Vec<Vec<String>> {
    let mut given = Vec::new();
    for (object, lines) in &planned {
        let Some(created) = lines
            .first()
            .and_then(|line| line.split_once(' ')?.1.split_once(' '))
        else {
            continue;
        };
        let (kind, attribute) = match created.0 {
            "/Users" => (Kind::User, "userName"),
            "/Groups" => (Kind::Group, "displayName"),
            _ => continue,
        };
        let body: Value = serde_json::from_str(created.1).unwrap();
        let found = desk
            .target
            .by(kind, attribute, body[attribute].as_str().unwrap());
        given.push((
            format!("bulkId:{object}"),
            found[0]["id"].as_str().unwrap().to_owned(),
        ));
    }
    let fill = |line: String| {
        given.iter().fold(line, |line, (placeholder, id)| {
            line.replace(placeholder, id)
        })
    };
    planned
        .into_values()
        .map(|lines| lines.into_iter().map(fill).collect())
        .collect()
}

/// Tells whether some lines stand in others in their order, and takes them out.
fn take(all: &mut Vec<String>, lines: &[String]) -> bool {
    let mut from = 0;
    lines.iter().all(|line| {
        let place = all.iter().skip(from).position(|one| one == line);
        place.is_some_and(|place| {
            from += place;
            all.remove(from);
            true
        })
    })
}

#[test]
fn what_the_plan_file_says_is_what_the_target_gets_byte_for_byte_and_nothing_else() {
    let desk = desk();
    let before = desk.target.last_request();
    let (text, said) = desk.ends(&["plan", "--out", "plan.json"], 0);
    for part in ["create", "adopt", "update", "disable", "delete"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(said.contains("job run --plan plan.json"), "{said}");
    assert_eq!(sent(&desk.target.writes_since(before)), [""; 0]);

    desk.ok(&["run", "--plan", "plan.json"]);

    let mut got = sent(&desk.target.writes_since(before));
    let planned = planned(&desk, "plan.json");
    assert!(
        planned
            .values()
            .flatten()
            .any(|line| line.contains("bulkId:")),
        "{planned:#?}"
    );
    for lines in filled(&desk, planned) {
        assert!(take(&mut got, &lines), "{lines:#?}\nnot in {got:#?}");
    }
    assert_eq!(got, [""; 0], "nothing was sent that the plan does not have");
    assert_eq!(desk.members("Fresh"), ["Team", "new"]);
    assert!(desk.ok(&["plan"]).contains("both ends agree"));
    // and it is done once
    desk.refuses(&["run", "--plan", "plan.json"], 1, &["nothing was sent"]);
}

#[test]
fn a_plan_that_does_not_hold_any_more_sends_nothing_and_says_what_moved() {
    type Move = fn(&Desk);
    let settings = "the mappings, the scope or the assignments changed";
    let target = "the target, or what is known of it, changed";
    let source: Move = |desk| {
        let people = desk.read("people.csv").replace("Seller", "Chief");
        desk.write("people.csv", &people);
    };
    let edited: Move = |desk| {
        let mut ann = desk.person("ann");
        desk.target.remove(Kind::User, ann["id"].as_str().unwrap());
        ann["title"] = json!("by hand");
        desk.target.insert(Kind::User, ann).unwrap();
    };
    let deleted: Move = |desk| {
        let ann = desk.person("ann");
        desk.target.remove(Kind::User, ann["id"].as_str().unwrap());
    };
    let created: Move = |desk| {
        let new = json!({"userName": "new"});
        desk.target.insert(Kind::User, new).unwrap();
    };
    let schema: Move = |desk| {
        desk.write(
            "schema.json",
            &super::mistakes::schema(&[("\"x\"", "nickName")]),
        );
        desk.job(SOURCE, "[mapping]\nschema = \"schema.json\"");
    };
    let scope: Move = |desk| desk.job(SOURCE, "[scope]\nassigned = [\"user:ann\", \"group:Team\"]");
    let leaving: Move = |desk| desk.job(SOURCE, "[safety]\nleaving = \"delete\"");
    let moves: [(&str, Move, &[&str]); 7] = [
        (
            "source",
            source,
            &[
                "the source changed",
                "`ann`: update with other values than planned",
            ],
        ),
        (
            "edited",
            edited,
            &[target, "`ann`: update with other values than planned"],
        ),
        (
            "deleted",
            deleted,
            &[target, "`ann`: create instead of update"],
        ),
        (
            "created",
            created,
            &[target, "`new`: adopt instead of create"],
        ),
        ("schema", schema, &[settings]),
        ("scope", scope, &[settings]),
        ("leaving", leaving, &[settings]),
    ];
    for (what, change, parts) in moves {
        let desk = desk();
        desk.ok(&["plan", "--out", "plan.json"]);
        change(&desk);

        let said = desk.refuses(&["run", "--plan", "plan.json"], 1, parts);

        assert!(
            said.contains("nothing was sent") && said.contains("hint: make a new plan"),
            "{what}: {said}"
        );
    }
}

#[test]
fn a_plan_file_that_was_edited_or_cut_is_none() {
    let desk = desk();
    desk.ok(&["plan", "--out", "plan.json"]);
    let whole = desk.read("plan.json");
    let digest = "the plan was altered or is not whole";
    for (text, part) in [
        (whole.replace("Seller", "Boss"), digest),
        (whole.replacen("\"kind\"", "\"kinds\"", 1), digest),
        (whole[..whole.len() / 2].to_owned(), "not a plan"),
        (
            whole.replace("rollcall plan 1", "rollcall plan 9"),
            "its format is `rollcall plan 9`",
        ),
        ("{}".to_owned(), "not a plan"),
        (String::new(), "not a plan"),
    ] {
        desk.write("altered.json", &text);

        desk.refuses(&["run", "--plan", "altered.json"], 2, &[part]);
    }
    desk.refuses(&["run", "--plan", "nowhere.json"], 2, &["nowhere.json"]);
    // the one that was not touched still holds
    desk.ok(&["run", "--plan", "plan.json"]);
}

#[test]
fn a_plan_is_for_the_job_from_which_it_was_made() {
    let desk = desk();
    desk.ok(&["plan", "--out", "plan.json"]);
    let other = desk.read("people.toml");
    desk.write("people.toml", &format!("name = \"other\"\n{other}"));

    desk.refuses(
        &["run", "--plan", "plan.json"],
        1,
        &["the plan is for another application"],
    );
}
