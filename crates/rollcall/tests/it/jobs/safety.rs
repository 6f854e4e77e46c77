//! Nobody leaves by a mistake: reads that were not complete, and the deletion guard.

use rollcall_model::Kind;
use rollcall_testkit::{Behaviour, Dialect, Fault, When};
use serde_json::json;

use super::desk::{CSV, Desk, sent};
use super::sources::{endpoint, from};

const FOUR: [&str; 4] = ["ann", "bob", "cleo", "dan"];

#[test]
fn an_empty_file_disables_nobody_unless_that_is_meant() {
    let desk = Desk::of_people(&FOUR, "");
    desk.ok(&["run"]);

    for (text, why) in [
        ("", "people.csv is empty"),
        ("id,userName\n", "people.csv is empty"),
    ] {
        desk.write("people.csv", text);
        for command in ["plan", "run"] {
            desk.refuses(&[command], 1, &["nobody counts as having left", why]);
        }
    }
    assert_eq!(desk.active(), FOUR);
    let status = desk.ok(&["status"]);
    assert!(status.contains("nothing to do"), "{status}");

    // it is meant: then the guard asks
    desk.job(CSV, "[safety]\naccept_empty = true\nmax_deletions = 3");
    desk.refuses(&["run"], 1, &["rollcall job held"]);
    desk.job(
        CSV,
        "[safety]\naccept_empty = true\nmax_deletions = 4\nmax_deletions_percent = 100",
    );
    assert_eq!(desk.sends(&["run"]).len(), 4);
    assert_eq!(desk.active(), [""; 0]);
}

#[test]
fn a_csv_file_that_was_cut_off_is_not_taken_at_all() {
    let desk = Desk::new();
    desk.job(CSV, "");
    let whole =
        "id,userName,displayName\n1,ann,\"Ann, of Sales\"\n2,bob,\"Bob, of IT\"\n3,cleo,Cleo\n";
    desk.write("people.csv", whole);
    desk.ok(&["run"]);

    for cut in ["Bob, of", "2,b", "2,bob", "2,bob,\""] {
        let end = whole.find(cut).unwrap() + cut.len();
        desk.write("people.csv", &whole[..end]);
        desk.refuses(
            &["run"],
            2,
            &["people.csv, line 3: column ", "nothing was taken"],
        );
    }
    // what stands in whole lines is not taken either, and nobody leaves
    let cut = "id,userName,displayName\n7,new,New\n2,bob,\"Bob";
    desk.write("people.csv", cut);
    for command in ["check", "plan", "run"] {
        desk.refuses(
            &[command],
            2,
            &["people.csv, line 3: column 3 (`displayName`): the file ends"],
        );
    }
    assert_eq!(desk.active(), ["ann", "bob", "cleo"]);
}

#[test]
fn json_lines_with_a_broken_line_are_not_taken_at_all() {
    let desk = Desk::new();
    desk.job("kind = \"jsonl\"\nusers = \"people.jsonl\"", "");
    let line = |name: &str| {
        format!(
            "{}\n",
            json!({"id": name, "userName": name, "active": true})
        )
    };
    let whole = FOUR.map(line).concat();
    desk.write("people.jsonl", &whole);
    desk.ok(&["run"]);

    let broken = whole.replace("\"bob\",\"active\"", "\"bob\" \"active\"");
    desk.write("people.jsonl", &broken);
    desk.refuses(&["run"], 2, &["people.jsonl, line 2", "nothing was taken"]);
    desk.write("people.jsonl", &whole[..whole.len() - 9]);
    desk.refuses(&["run"], 2, &["people.jsonl, line 4", "ends in the middle"]);
    // a line that says nothing of itself is one, and stays where it was
    desk.write(
        "people.jsonl",
        &format!("{}{{\"active\": true}}\n", line("ann")),
    );
    desk.refuses(
        &["run"],
        1,
        &["people.jsonl, line 2", "nobody counts as having left"],
    );
    assert_eq!(desk.active(), FOUR);
}

#[tokio::test]
async fn a_scim_server_whose_pages_do_not_fit_together_disables_nobody() {
    let desk = Desk::new();
    let (source, scim) = endpoint(&desk, false);
    for name in ["ann", "bob", "cleo", "dan", "eve"] {
        scim.person(name).await;
    }
    desk.job(&from(&source), "");
    desk.ok(&["run"]);
    let eve = source.by(Kind::User, "userName", "eve")[0]["id"].clone();
    source.remove(Kind::User, eve.as_str().unwrap());
    let behaviour = |fault: Fault| {
        let dialect = Dialect {
            page_size: 2,
            ..Dialect::default()
        };
        let token = source.token();
        Behaviour::default()
            .with_token(token)
            .with_dialect(dialect)
            .with_fault(fault, When::Always)
    };

    for (fault, why) in [
        (Fault::PageShifted, "came on two places of the list"),
        (Fault::PageReordered, "came on two places of the list"),
        (
            Fault::TotalTooHigh { by: 1 },
            "the endpoint counts 5 Users and shows 4",
        ),
        (
            Fault::TotalTooLow { by: 1 },
            "the endpoint counts 3 Users and shows 4",
        ),
    ] {
        source.behave(behaviour(fault));
        desk.refuses(&["run"], 1, &["nobody counts as having left", why]);
    }
    source.behave(behaviour(Fault::Html));
    desk.refuses(&["run"], 2, &["not a SCIM ListResponse"]);
    source.behave(behaviour(Fault::Unauthorized));
    desk.refuses(&["run"], 2, &["refuses the token"]);
    assert_eq!(desk.active().len(), 5);

    source.calm();
    assert_eq!(desk.sends(&["run"]).len(), 1);
    assert_eq!(desk.active(), FOUR);
}

#[test]
fn more_leavers_than_allowed_are_held_and_exactly_their_list_can_be_let_go() {
    let names: Vec<String> = (0..12).map(|number| format!("p{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let desk = Desk::of_people(&names, "[safety]\nmax_deletions = 2");
    desk.ok(&["run"]);
    let (_, said) = desk.ends(&["held"], 0);
    assert!(said.contains("nobody is held back"), "{said}");

    desk.people(&names[3..]);
    let (planned, _) = desk.ends(&["plan"], 1);
    assert!(planned.contains("deletion guard"), "{planned}");
    desk.refuses(
        &["run"],
        1,
        &["`rollcall job held` lists them, `rollcall job allow` lets exactly that list go"],
    );
    let held = desk.ok(&["held"]);
    for name in &names[..3] {
        assert!(held.contains(name), "{held}");
    }
    let old = held.rsplit(' ').next().unwrap().to_owned();
    assert_eq!(desk.json(&["held"], 0)["code"], json!(old));
    assert!(desk.ok(&["status"]).contains("held back"));

    // the list grows, and its code is not the one that was shown
    desk.people(&names[4..]);
    desk.refuses(&["run"], 1, &["held"]);
    let held = desk.json(&["held"], 0);
    assert_eq!(held["held"].as_array().map(Vec::len), Some(4));
    desk.refuses(
        &["allow", &old],
        1,
        &["is not the code of those who are held now"],
    );
    desk.refuses(&["run"], 1, &["held"]);

    // allowed, and it grows once more: who was not on the list stays
    let code = held["code"].as_str().unwrap().to_owned();
    desk.refuses(&["allow", &code], 0, &["4 may go in the next cycle"]);
    desk.people(&names[7..]);
    let before = desk.target.last_request();
    desk.ends(&["run"], 1);
    let sent = sent(&desk.target.writes_since(before));
    assert_eq!(sent.len(), 4, "{sent:#?}");
    for name in &names[4..] {
        assert!(desk.active().contains(&(*name).to_owned()), "{name}");
    }

    // who comes back is not held any more
    desk.people(&names[4..]);
    desk.ok(&["run"]);
    assert_eq!(desk.active(), &names[4..]);
}
