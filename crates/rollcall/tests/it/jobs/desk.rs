//! A folder with a job file, and the target of the job.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use rollcall_model::Kind;
use rollcall_testkit::{Behaviour, Recorded, Target};
use serde_json::Value;

use crate::support::Installation;

/// The token of the target: nothing that is printed or stored may hold it.
pub(crate) const TOKEN: &str = "hunter2-token-of-the-target-93be1f";
/// The source of most jobs.
pub(crate) const CSV: &str = "kind = \"csv\"\nusers = \"people.csv\"";

pub(crate) struct Desk {
    pub(crate) installation: Installation,
    pub(crate) target: Target,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::with(Behaviour::default())
    }

    /// Makes a desk whose target behaves like this.
    pub(crate) fn with(behaviour: Behaviour) -> Self {
        Self {
            installation: Installation::new(),
            target: Target::start(behaviour.with_token(TOKEN)),
        }
    }

    /// Makes a desk with a job from a CSV file that has these people, `more` being the rest of the job file.
    pub(crate) fn of_people(names: &[&str], more: &str) -> Self {
        let desk = Self::new();
        desk.people(names);
        desk.job(CSV, more);
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.installation.folder.path().join(name)
    }

    /// Writes a file as it ought to be written: under another name first.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path("unfinished"), text).unwrap();
        std::fs::rename(self.path("unfinished"), self.path(name)).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Writes the job file.
    pub(crate) fn job(&self, source: &str, more: &str) {
        let text = format!(
            "[source]\n{source}\n\n[target]\nurl = \"{}\"\ntoken = {{ env = \"TARGET_TOKEN\" }}\n\n{more}\n",
            self.target.url()
        );
        self.write("people.toml", &text);
    }

    /// Writes a CSV file with people who have nothing but a name.
    pub(crate) fn people(&self, names: &[&str]) {
        let rows: Vec<String> = names
            .iter()
            .map(|name| format!("{name},{name}\n"))
            .collect();
        self.write("people.csv", &format!("id,userName\n{}", rows.concat()));
    }

    /// Returns `rollcall job COMMAND people.toml …`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let (command, rest) = arguments.split_first().unwrap();
        let all = [&["job", *command, "people.toml"], rest].concat();
        let mut command = self.installation.command(&all);
        command
            .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")
            .env("TARGET_TOKEN", TOKEN)
            .stdin(Stdio::null());
        command
    }

    /// Runs it and makes sure of its exit code; returns what it prints and what it says. Neither holds the token, ever.
    #[track_caller]
    pub(crate) fn ends(&self, arguments: &[&str], code: i32) -> (String, String) {
        judged(arguments, self.command(arguments).output().unwrap(), code)
    }

    /// Runs what has to work; returns what it prints.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.ends(arguments, 0).0
    }

    /// Runs it with `--json`.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str], code: i32) -> Value {
        let (printed, said) = self.ends(&[arguments, &["--json"]].concat(), code);
        serde_json::from_str(&printed)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {printed}\n{said}"))
    }

    /// Runs it and makes sure that it ends like this, says all of this, and sends no write.
    #[track_caller]
    pub(crate) fn refuses(&self, arguments: &[&str], code: i32, parts: &[&str]) -> String {
        let before = self.target.last_request();
        let (_, said) = self.ends(arguments, code);
        for part in parts {
            assert!(said.contains(part), "{arguments:?}: {part}: {said}");
        }
        let writes = sent(&self.target.writes_since(before));
        assert!(writes.is_empty(), "{arguments:?}: {writes:#?}");
        said
    }

    /// Runs a cycle that has to work; returns what was sent, one line for each write.
    #[track_caller]
    pub(crate) fn sends(&self, arguments: &[&str]) -> Vec<String> {
        let before = self.target.last_request();
        self.ok(arguments);
        sent(&self.target.writes_since(before))
    }

    /// Returns a person of the target.
    #[track_caller]
    pub(crate) fn person(&self, user_name: &str) -> Value {
        let mut found = self.target.by(Kind::User, "userName", user_name);
        assert_eq!(found.len(), 1, "{user_name}: {found:#?}");
        found.remove(0)
    }

    /// Returns the names of the people of the target who may come in, in order.
    pub(crate) fn active(&self) -> Vec<String> {
        let people = self.target.resources(Kind::User);
        let active = people.iter().filter(|person| person["active"] == true);
        let mut names: Vec<String> = active
            .map(|person| person["userName"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    /// Returns the names of a group's members at the target, in order.
    #[track_caller]
    pub(crate) fn members(&self, group: &str) -> Vec<String> {
        let group = self.target.by(Kind::Group, "displayName", group).remove(0);
        let members = group["members"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = members
            .iter()
            .map(|member| {
                let id = member["value"].as_str().unwrap();
                let found = self.target.resource(Kind::User, id);
                let found = found
                    .or_else(|| self.target.resource(Kind::Group, id))
                    .unwrap();
                let name = found.get("userName").unwrap_or(&found["displayName"]);
                name.as_str().unwrap().to_owned()
            })
            .collect();
        names.sort();
        names
    }
}

/// Makes sure of how a command ended.
#[track_caller]
pub(crate) fn judged(arguments: &[&str], output: Output, code: i32) -> (String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim_end().to_owned();
    let (printed, said) = (text(output.stdout), text(output.stderr));
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}: {printed}\n{said}"
    );
    assert!(
        !printed.contains(TOKEN) && !said.contains(TOKEN),
        "{arguments:?} shows the token"
    );
    (printed, said)
}

/// Returns writes as lines: method, path below the base, and body.
pub(crate) fn sent(writes: &[Recorded]) -> Vec<String> {
    let line = |write: &Recorded| {
        let path = write.path_and_query.trim_start_matches("/scim/v2");
        let body = String::from_utf8_lossy(&write.body);
        format!("{} {path} {body}", write.method)
            .trim_end()
            .to_owned()
    };
    writes.iter().map(line).collect()
}
