//! Who makes mistakes is told all of them at once, each with its place and what to write instead.

use serde_json::{Value, json};

use super::desk::{CSV, Desk};

/// Writes a synchronization schema that maps the userName, `active`, and these expressions to these attributes.
pub(crate) fn schema(mappings: &[(&str, &str)]) -> String {
    let attribute =
        |name: &str| json!({"type": "Attribute", "name": name, "expression": format!("[{name}]")});
    let mut all = vec![
        json!({"targetAttributeName": "userName", "matchingPriority": 1, "source": attribute("userPrincipalName")}),
        json!({"targetAttributeName": "active", "source": {
            "type": "Function", "name": "Not", "expression": "Not([IsSoftDeleted])",
        }}),
    ];
    all.extend(mappings.iter().map(|(expression, target)| {
        json!({"targetAttributeName": target, "source": {"type": "Function", "name": "", "expression": expression}})
    }));
    let users = json!({
        "name": "People", "enabled": true, "sourceObjectName": "User", "targetObjectName": "User",
        "attributeMappings": all,
    });
    let rule = json!({"name": "rule", "priority": 1, "objectMappings": [users]});
    serde_json::to_string_pretty(&json!({"synchronizationRules": [rule]})).unwrap()
}

/// Returns what was said, without what differs from run to run.
fn redacted(desk: &Desk, said: &str) -> String {
    let folder = desk.installation.folder.path().canonicalize().unwrap();
    let said = said.replace(folder.to_str().unwrap(), "FOLDER");
    said.replace(desk.installation.folder.path().to_str().unwrap(), "FOLDER")
}

#[test]
fn a_job_file_is_told_all_its_mistakes_at_once() {
    let desk = Desk::new();
    desk.write(
        "people.toml",
        r#"[source]
kind = "csf"
user = "people.csv"

[target]
url = 8080
token = { env = "NOBODY_SET_THIS" }

[mapping]
shema = "schema.json"

[scope]
assigned = ["Sales", "users:ann"]

[safety]
max_deletions = -1
max_deletions_percent = 101
max_deletion = 5

[watch]
every = "soon"

[tarjet]
"#,
    );

    for command in ["check", "plan", "run", "watch", "status"] {
        let said = desk.refuses(&[command], 2, &["mistakes in the job; nothing was done"]);
        insta::assert_snapshot!("a_job_file_with_mistakes", redacted(&desk, &said));
    }
    let printed = desk.json(&["check"], 2);
    assert_eq!(
        printed["mistakes"].as_array().map(Vec::len),
        Some(11),
        "{printed:#}"
    );
    assert!(
        !desk.path("rollcall.db").exists(),
        "who is refused leaves no trace"
    );
}

#[test]
fn a_schema_is_told_all_its_mistakes_with_the_place_in_the_expression() {
    let desk = Desk::of_people(&["ann"], "[mapping]\nschema = \"schema.json\"");
    let text = schema(&[
        ("Join(\" \", [givenName], [surname]", "displayName"),
        ("Jion(\"-\", [givenName])", "nickName"),
        ("ToLower([mail]))", "emails[type eq \"work\"].value"),
        ("[jobTitle]", "title.of.what"),
        ("Left([jobTitle])", "title"),
        ("\"x\"", "userName"),
    ]);
    desk.write("schema.json", &text);

    let said = desk.refuses(&["check"], 2, &["6 mistakes"]);

    insta::assert_snapshot!(redacted(&desk, &said));
}

#[test]
fn files_are_told_all_their_bad_rows_with_their_lines() {
    let desk = Desk::new();
    desk.job(
        "kind = \"csv\"\nusers = \"people.csv\"\ngroups = \"groups.csv\"",
        "",
    );
    desk.write(
        "people.csv",
        "id,userName,displayName\n1,ann,Ann\n2,bob,Bob,too much\n3,cleo\n4,ANN,Another Ann\n2,dan,\"Dan\nof two lines\"\n1,eve,Eve\n",
    );
    desk.write("groups.csv", "name,members\nTeam,ann\n");

    let said = desk.refuses(&["run"], 2, &["5 mistakes in the files; nothing was taken"]);
    insta::assert_snapshot!("files_with_bad_rows", redacted(&desk, &said));
    let checked = desk.refuses(&["check"], 2, &["5 mistakes in the job"]);
    for line in said.lines().take(5) {
        assert!(checked.contains(line), "{line}: {checked}");
    }
}

#[test]
fn a_record_with_a_bad_value_is_named_and_the_others_go_on() {
    let desk = Desk::new();
    desk.job(CSV, "");
    desk.write(
        "people.csv",
        "id,userName,active\n1,ann,true\n2,bob,perhaps\n3,,true\n4,dan,false\n",
    );

    let (_, checked) = desk.ends(&["check"], 1);
    let (_, ran) = desk.ends(&["run"], 1);

    for said in [checked, ran] {
        for part in [
            "people.csv, line 3: column 3 (`active`): ",
            "people.csv, line 4: column 2 (`userName`) is empty",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert_eq!(desk.active(), ["ann"]);
    // a plan that is carried out is no better than its source
    desk.ends(&["plan", "--out", "plan.json"], 1);
    desk.ends(&["run", "--plan", "plan.json"], 1);
    desk.ends(&["provision", "user:ann"], 1);
}

#[test]
fn mistakes_of_the_schema_the_scope_and_the_files_are_told_together_by_a_check() {
    let desk = Desk::of_people(&["ann"], "[mapping]\nschema = \"schema.json\"");
    desk.write("schema.json", &schema(&[("Jion([a])", "title")]));
    desk.write("people.csv", "id,name\n1,ann\n");

    let said = desk.refuses(
        &["check"],
        2,
        &["did you mean `Join`?", "there is no column `userName`"],
    );
    assert!(!said.contains(" in the files"), "{said}");
    let printed = desk.json(&["check"], 2);
    assert_eq!(
        printed["mistakes"].as_array().map(Vec::len),
        Some(2),
        "{printed:#}"
    );
}

#[test]
fn what_the_job_names_and_does_not_find_is_told_with_the_rest() {
    let desk = Desk::of_people(
        &["ann"],
        "[mapping]\nschema = \"nowhere.json\"\n[scope]\nassigned = [\"user:nobody\", \"group:Nothing\"]",
    );
    let output = desk
        .command(&["check"])
        .env_remove("TARGET_TOKEN")
        .output()
        .unwrap();
    let (_, said) = super::desk::judged(&["check"], output, 2);
    for part in [
        "`TARGET_TOKEN` is not set",
        "nowhere.json: the schema cannot be read",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    desk.job(
        CSV,
        "[scope]\nassigned = [\"user:nobody\", \"user:ann\", \"group:Nothing\"]",
    );
    for command in ["check", "plan", "run"] {
        desk.refuses(
            &[command],
            2,
            &[
                "`user:nobody`: the source has no such person",
                "`group:Nothing`: the source has no such group",
                "2 mistakes",
            ],
        );
    }
    desk.job("kind = \"csv\"\nusers = \"nowhere.csv\"", "");
    desk.refuses(&["run"], 3, &["nowhere.csv cannot be read"]);
    desk.job("kind = \"directory\"\norg = \"nowhere\"", "");
    let said: [&str; 1] = ["nowhere"];
    desk.refuses(&["check"], 2, &said);
    desk.refuses(&["run"], 2, &said);
    let printed: Value = desk.json(&["check"], 2);
    assert_eq!(
        printed["mistakes"].as_array().map(Vec::len),
        Some(1),
        "{printed:#}"
    );
}
