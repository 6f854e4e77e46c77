//! What each command answers, and the exit code that goes with it.

use rollcall_model::Kind;
use rollcall_testkit::{Behaviour, Dialect, Fault, Play, When};
use serde_json::json;

use super::desk::{CSV, Desk, judged};
use super::sources::{endpoint, from};

#[test]
fn a_target_out_of_reach_is_exit_code_3_for_whoever_needs_it() {
    let desk = Desk::of_people(&["ann"], "");
    desk.ok(&["run"]);
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let text = desk.read("people.toml");
    desk.write(
        "people.toml",
        &text.replace(&desk.target.address().to_string(), &dead.to_string()),
    );

    for command in ["check", "plan", "run"] {
        desk.refuses(&[command], 3, &["nothing listens"]);
    }
    let status = desk.ok(&["status"]);
    assert!(
        status.contains("quarantine") && status.contains("nothing listens"),
        "{status}"
    );
    // a check without calls finds nothing wrong
    desk.ok(&["check", "--offline"]);
    desk.write("people.toml", &text);
    desk.ok(&["run"]);
    assert!(!desk.ok(&["status"]).contains("quarantine"));
}

#[tokio::test]
async fn a_credential_that_is_refused_is_exit_code_2_at_both_ends() {
    for (fault, status) in [(Fault::Unauthorized, "401"), (Fault::Forbidden, "403")] {
        let refused = || Play::new(fault.clone(), When::Always);
        let desk = Desk::with(Behaviour::default().with_play(refused()));
        desk.people(&["ann"]);
        desk.job(CSV, "");
        for command in ["check", "plan", "run"] {
            desk.refuses(&[command], 2, &[status, "hint: "]);
        }

        let desk = Desk::new();
        let (source, scim) = endpoint(&desk, false);
        scim.person("ann").await;
        desk.job(&from(&source), "");
        source.behave(
            Behaviour::default()
                .with_token(source.token())
                .with_play(refused()),
        );
        for command in ["check", "plan", "run"] {
            desk.refuses(&[command], 2, &[status]);
        }
    }
}

#[test]
fn a_target_that_is_no_scim_endpoint_is_told_as_such() {
    let html = Play::new(Fault::Html, When::Always);
    let desk = Desk::with(Behaviour::default().with_play(html));
    desk.people(&["ann"]);
    desk.job(CSV, "");

    for command in ["check", "plan", "run"] {
        let said = desk.refuses(&[command], 3, &[]);
        assert!(said.to_lowercase().contains("scim"), "{command}: {said}");
    }
}

#[test]
fn an_address_inside_the_own_network_is_refused_unless_that_is_allowed() {
    let desk = Desk::of_people(&["ann"], "");

    for command in ["check", "run"] {
        let output = desk
            .command(&[command])
            .env_remove("ROLLCALL_ALLOW_PRIVATE_TARGETS")
            .output();
        let output = output.unwrap();
        assert!(matches!(output.status.code(), Some(2 | 3)), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("`allow_private_targets`"),
            "{command}: {said}"
        );
    }
    assert!(desk.target.requests().is_empty());
}

#[test]
fn objects_that_fail_are_exit_code_1_and_told_with_their_cause() {
    let refused = Play::new(Fault::ServerError, When::Always)
        .on(&["POST"])
        .below("/Groups");
    let desk = Desk::with(Behaviour::default().with_play(refused));
    desk.job(
        "kind = \"csv\"\nusers = \"people.csv\"\ngroups = \"groups.csv\"",
        "",
    );
    desk.people(&["ann"]);
    desk.write("groups.csv", "displayName,members\nTeam,ann\n");

    let (ran, said) = desk.ends(&["run"], 1);
    assert!(
        ran.contains("1 person created") && ran.contains("1 failed"),
        "{ran}"
    );
    assert!(
        said.contains("1 object failed") && said.contains("`rollcall job why`"),
        "{said}"
    );
    let why = desk.ok(&["why", "group:Team"]);
    assert!(why.contains("failed") && why.contains("500"), "{why}");
    let status = desk.ok(&["status"]);
    assert!(
        status.contains("1 objects, tried again") || status.contains("1 object"),
        "{status}"
    );

    desk.target.calm();
    desk.ok(&["provision", "group:Team"]);
    assert_eq!(desk.members("Team"), ["ann"]);
}

#[test]
fn a_job_that_never_ran_says_so() {
    let desk = Desk::of_people(&["ann"], "");
    for arguments in [
        &["status"][..],
        &["held"],
        &["why", "user:ann"],
        &["compare"],
        &["restart"],
        &["forget", "--yes"],
    ] {
        desk.refuses(arguments, 3, &["there is no store"]);
    }
    desk.installation
        .ok(&["org", "create", "other", "--name", "Other"]);
    for arguments in [&["status"][..], &["held"], &["why", "user:ann"]] {
        desk.refuses(
            arguments,
            2,
            &[
                "the job `people` never ran on this store",
                "rollcall job run",
            ],
        );
    }
    desk.refuses(
        &["provision", "user:nobody"],
        2,
        &["the source has no such person"],
    );
    desk.refuses(&["why", "nobody"], 2, &["user:adele@example.com"]);
}

#[test]
fn one_person_can_be_provisioned_explained_and_compared_and_the_job_can_begin_anew_and_be_forgotten()
 {
    let desk = Desk::new();
    desk.job(
        "kind = \"csv\"\nusers = \"people.csv\"\ngroups = \"groups.csv\"",
        "[scope]\nassigned = [\"group:Team\"]",
    );
    desk.write(
        "people.csv",
        "id,userName,jobTitle\n1,ann,Buyer\n2,bob,\n3,cleo,\n",
    );
    desk.write("groups.csv", "displayName,members\nTeam,ann;bob\n");

    let done = desk.ok(&["provision", "user:ann"]);
    for part in [
        "ann: create",
        "1 import",
        "2 scope",
        "3 match",
        "4 action",
        "title – → Buyer",
    ] {
        assert!(done.contains(part), "{part}: {done}");
    }
    assert_eq!(desk.active(), ["ann"], "she and nobody else");
    let skipped = desk.json(&["provision", "user:cleo"], 0);
    assert_eq!(skipped["decision"], "skip", "{skipped:#}");
    desk.ok(&["run"]);
    assert_eq!(desk.active(), ["ann", "bob"]);

    let why = desk.ok(&["why", "user:ann"]);
    for part in [
        "has it, enabled",
        "assignment  ",
        "title = \"Buyer\"",
        "create success",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let why = desk.ok(&["why", "user:cleo"]);
    assert!(why.contains("assignment  none"), "{why}");
    assert_eq!(desk.json(&["why", "user:bob"], 0)["isEnabled"], true);

    // who left the source is still explained
    desk.write("people.csv", "id,userName,jobTitle\n1,ann,Buyer\n2,bob,\n");
    desk.ok(&["provision", "user:ann"]);
    desk.refuses(&["why", "user:cleo"], 2, &["the source has no such person"]);

    let agreed = desk.ok(&["compare"]);
    assert!(
        agreed.contains("both ends agree object by object: 2 people, 1 groups, 2 memberships"),
        "{agreed}"
    );
    let mut ann = desk.person("ann");
    desk.target.remove(Kind::User, ann["id"].as_str().unwrap());
    ann["title"] = json!("by hand");
    desk.target.insert(Kind::User, ann).unwrap();
    let (differing, _) = desk.ends(&["compare"], 1);
    assert!(
        differing.contains("title is `by hand`, should be `Buyer`"),
        "{differing}"
    );
    let (printed, _) = desk.ends(&["compare", "--json"], 1);
    assert!(printed.contains("\"differing\""), "{printed}");
    assert_eq!(
        desk.sends(&["run"]),
        [""; 0],
        "a cycle does not look for what others changed"
    );
    desk.ok(&["compare", "--repair"]);
    assert_eq!(desk.person("ann")["title"], "Buyer");
    assert_eq!(desk.members("Team"), ["ann", "bob"]);
    desk.ok(&["compare"]);

    let status = desk.ok(&["status"]);
    for part in ["people", "last cycle", "compared", "0 differ", "updates"] {
        assert!(status.contains(part), "{part}: {status}");
    }
    let status = desk.json(&["status"], 0);
    assert_eq!(status["name"], "people");
    assert_eq!(status["assignments"], 1);
    assert_eq!(status["held"]["count"], 0);
    assert_eq!(status["job"]["last"]["kind"], "incremental", "{status:#}");
    desk.ok(&["restart"]);
    assert!(desk.ok(&["run"]).contains("initial cycle"));
    desk.refuses(&["restart", "--reset", "Everything"], 2, &["Everything"]);

    desk.refuses(&["forget"], 2, &["--yes"]);
    desk.refuses(&["forget", "--yes"], 0, &["forgot `people`"]);
    assert_eq!(desk.active(), ["ann", "bob"], "who was provisioned stays");
    desk.refuses(&["status"], 2, &["never ran"]);
    // and when it begins once more it finds everybody again
    let (planned, _) = desk.ends(&["plan"], 0);
    assert!(
        planned.contains("2 found in the target by userName"),
        "{planned}"
    );
    desk.ok(&["run"]);
    assert_eq!(desk.target.resources(Kind::User).len(), 2);
}

#[test]
fn who_left_the_source_is_still_explained_while_the_job_remembers_them() {
    let desk = Desk::of_people(&["ann", "bob"], "[safety]\nmax_deletions = 0");
    desk.ok(&["run"]);
    desk.people(&["ann"]);
    desk.refuses(&["run"], 1, &["rollcall job held"]);

    let why = desk.ok(&["why", "user:bob"]);

    assert!(
        why.contains("does not have it any more") && why.contains("disable"),
        "{why}"
    );
}

#[test]
fn two_job_files_of_one_name_do_not_share_a_state_by_mistake() {
    let desk = Desk::of_people(&["ann"], "");
    desk.ok(&["run"]);
    std::fs::create_dir(desk.path("other")).unwrap();
    let text = desk
        .read("people.toml")
        .replace("people.csv", "../people.csv");
    std::fs::write(desk.path("other/people.toml"), &text).unwrap();
    let of_the_other = |command: &str, more: &[&str]| {
        let all = [&["job", command, "other/people.toml"], more].concat();
        let mut command = desk.installation.command(&all);
        command
            .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")
            .env("TARGET_TOKEN", super::desk::TOKEN);
        command.output().unwrap()
    };

    for (command, more) in [
        ("run", &[][..]),
        ("plan", &[]),
        ("status", &[]),
        ("restart", &[]),
        ("forget", &["--yes"]),
    ] {
        let (_, said) = judged(&[command], of_the_other(command, more), 2);
        assert!(
            said.contains("another job file of this store has the name"),
            "{command}: {said}"
        );
    }
    desk.ok(&["status"]);

    // a file that was moved takes its state along
    std::fs::remove_file(desk.path("people.toml")).unwrap();
    let (ran, _) = judged(&["run"], of_the_other("run", &[]), 0);
    assert!(ran.contains("both ends agree"), "{ran}");
}

#[test]
fn a_target_that_takes_no_patch_and_shows_small_pages_gets_the_same() {
    let dialect = Dialect {
        page_size: 2,
        no_patch: true,
        no_service_provider_config: true,
        ..Dialect::default()
    };
    let desk = Desk::with(Behaviour::default().with_dialect(dialect));
    desk.people(&["ann", "bob", "cleo"]);
    desk.job(CSV, "");
    desk.ok(&["check"]);
    desk.ok(&["run"]);

    desk.people(&["ann", "cleo"]);
    desk.ok(&["run"]);

    assert_eq!(desk.active(), ["ann", "cleo"]);
    assert!(desk.ok(&["compare"]).contains("both ends agree"));
}
