//! What is shipped beside the program says nothing that the program does not know: the unit for systemd, the image, the examples of
//! `docs/deployment.md`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use clap::Parser;

use crate::cli::{Arguments, Command};
use crate::config::Config;

const UNIT: &str = include_str!("../../../packaging/rollcall.service");
const IMAGE: &str = include_str!("../../../Dockerfile");
const GUIDE: &str = include_str!("../../../docs/deployment.md");

/// Returns the values of a key of the unit.
fn of_unit(key: &str) -> Vec<&'static str> {
    let lines = UNIT.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .collect()
}

/// Returns what is typed after the program's name in a line of the guide.
fn typed(line: &'static str) -> Option<&'static str> {
    let users = ["", "sudo -u rollcall ", "docker exec rollcall "];
    let line = line.trim().strip_prefix("$ ")?;
    users
        .iter()
        .find_map(|user| line.strip_prefix(user)?.strip_prefix("rollcall "))
}

/// Returns a list of JSON strings behind a word of the image's file.
fn of_image(word: &str) -> Vec<String> {
    let mut lines = IMAGE.lines();
    let list = lines.find_map(|line| line.strip_prefix(word)).unwrap();
    serde_json::from_str(list.trim()).unwrap()
}

/// Reads arguments as the program does, its name first.
#[track_caller]
fn read<T: AsRef<str>>(words: &[T]) -> Arguments {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(error) => panic!("{words:?}: {error}"),
    }
}

/// Returns the variables that a server asks for when its settings are nowhere.
fn variables() -> BTreeSet<String> {
    let asked = RefCell::new(BTreeSet::from(["ROLLCALL_LOG".to_owned()]));
    let Command::Serve(serve) = read(&["rollcall", "serve"]).command else {
        panic!("not a server");
    };
    let common = read(&["rollcall", "serve"]).common;
    Config::read(&common, Some(&serve), &|name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    })
    .unwrap();
    asked.into_inner()
}

/// Returns the names of variables of ours in a text.
fn named(text: &str) -> BTreeSet<String> {
    let is_of_name = |c: char| c.is_ascii_uppercase() || c == '_';
    let words = text.split(|c| !is_of_name(c));
    let ours = words.filter(|word| word.starts_with("ROLLCALL_"));
    ours.map(str::to_owned).collect()
}

#[test]
fn the_unit_starts_a_server_with_arguments_that_exist() {
    let starts = of_unit("ExecStart");
    let [start] = starts.as_slice() else {
        panic!("{starts:?}");
    };
    let words: Vec<&str> = start.split_whitespace().collect();

    assert!(matches!(read(&words).command, Command::Serve(_)));
}

#[test]
fn the_image_starts_a_server_with_arguments_that_exist() {
    let words = [of_image("ENTRYPOINT"), of_image("CMD")].concat();

    assert!(matches!(read(&words).command, Command::Serve(_)));
}

#[test]
fn every_variable_that_is_shipped_or_documented_is_read() {
    let known = variables();

    for text in [UNIT, IMAGE, GUIDE] {
        let unknown: Vec<String> = named(text).difference(&known).cloned().collect();
        assert_eq!(unknown, [""; 0]);
    }
}

#[test]
fn every_command_of_the_guide_can_be_typed() {
    let mut count = 0;
    for rest in GUIDE.lines().filter_map(typed) {
        let words = std::iter::once("rollcall").chain(rest.split_whitespace());
        let words = words.take_while(|word| !["|", ">", "<"].contains(word));
        read(&words.collect::<Vec<_>>());
        count += 1;
    }
    assert!(count > 2, "{count} commands only");
}

#[test]
fn the_examples_of_the_guide_believe_the_proxy_in_front_of_them() {
    let for_systemd = GUIDE.contains("\ntrusted_proxies = [\"127.0.0.1\"]\n");
    let for_docker = GUIDE.contains("--env ROLLCALL_TRUSTED_PROXIES=127.0.0.1,");

    assert!(for_systemd && for_docker);
    assert!(!GUIDE.contains("<!--"), "a section is not written yet");
}

#[test]
fn the_unit_waits_for_what_is_in_flight() {
    let patience = of_unit("TimeoutStopSec").concat().parse().unwrap();

    let longest = crate::commands::serve::LAST_WAIT + crate::commands::LAST_WAIT;
    assert!(Duration::from_secs(patience) > longest);
}

#[test]
fn the_image_listens_where_it_is_asked_for_its_health() {
    let listens = IMAGE.contains("ROLLCALL_LISTEN=0.0.0.0:8080");
    let is_asked = IMAGE.contains("/dev/tcp/127.0.0.1/8080") && IMAGE.contains("GET /healthz ");

    assert!(listens && is_asked && IMAGE.contains("EXPOSE 8080"));
}

#[test]
fn the_unit_and_the_image_do_not_run_as_root() {
    assert_eq!(of_unit("User"), ["rollcall"]);
    let users = IMAGE.lines().filter_map(|line| line.strip_prefix("USER "));
    let users: Vec<&str> = users.collect();
    assert_eq!(users, ["10001:10001"]);
}
