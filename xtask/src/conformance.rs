//! Public SCIM suites against a running server: scim2-tester and Microsoft's reference collection. Okta's SPEC test is run by the
//! tests of the binary.

#![expect(
    clippy::indexing_slicing,
    reason = "a missing field of a JSON value reads as null"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::need;
use crate::steps::{cargo, command_ok, root};

/// The suites' versions; newer ones are taken on purpose, not by chance.
const PYTHON_PACKAGES: [&str; 2] = ["scim2-cli==0.6.0", "scim2-tester==0.5.2"];
const NEWMAN: &str = "newman@6";
/// The folders of Microsoft's collection that are about SCIM.
const FOLDERS: [&str; 7] = [
    "Endpoint tests",
    "User tests",
    "Group tests",
    "ComplexAttribute tests",
    "User tests with garbage",
    "Group tests with garbage",
    "Teardown garbage",
];

/// Runs the suites.
pub(crate) fn run() -> anyhow::Result<()> {
    need::python_venv()?;
    need::program("node", "nodejs")?;
    need::program("npm", "npm")?;
    cargo(&["build", "--quiet", "--package", "rollcall"])?;
    let tools = root().join("target/conformance");
    fs::create_dir_all(&tools)?;
    scim2_tester(&tools)?;
    microsoft(&tools)
}

fn scim2_tester(tools: &Path) -> anyhow::Result<()> {
    let python = tools.join("venv");
    if !python.join("bin/scim2").exists() {
        command_ok(Command::new("python3").args(["-m", "venv"]).arg(&python))?;
        command_ok(
            Command::new(python.join("bin/pip"))
                .args(["install", "--quiet"])
                .args(PYTHON_PACKAGES),
        )?;
    }
    let server = Server::start(tools)?;
    let output = Command::new(python.join("bin/scim2"))
        .args(["--url", &server.url, "test", "--verbose"])
        .env(
            "SCIM_CLI_HEADERS",
            format!("Authorization: Bearer {}", server.token),
        )
        .output()
        .context("scim2-tester")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let green = text
        .lines()
        .filter(|line| line.starts_with("SUCCESS"))
        .count();
    let other: Vec<&str> = text
        .lines()
        .filter(|line| {
            line.split(' ')
                .next()
                .is_some_and(|word| word.len() > 4 && word.chars().all(|c| c.is_ascii_uppercase()))
        })
        .filter(|line| !line.starts_with("SUCCESS"))
        .collect();
    println!("scim2-tester: {green} green, {} not", other.len());
    if green < 100 || !other.is_empty() || !output.status.success() {
        println!("{text}{}", String::from_utf8_lossy(&output.stderr));
        bail!("scim2-tester is not green");
    }
    Ok(())
}

fn microsoft(tools: &Path) -> anyhow::Result<()> {
    let node = tools.join("node");
    if !node.join("node_modules/.bin/newman").exists() {
        fs::create_dir_all(&node)?;
        command_ok(
            Command::new("npm")
                .args(["install", "--silent", "--no-save", "--prefix"])
                .arg(&node)
                .arg(NEWMAN),
        )?;
    }
    let server = Server::start(tools)?;
    let (_, rest) = server.url.split_once("://").context("a URL")?;
    let (address, api) = rest.split_once('/').context("a path")?;
    let (host, port) = address.split_once(':').context("a port")?;
    let report = tools.join("newman.json");
    let folder = root().join("conformance/entra-postman");
    let mut newman = Command::new(node.join("node_modules/.bin/newman"));
    newman.arg("run").arg(folder.join("PostmanCollection.json"));
    for folder in FOLDERS {
        newman.args(["--folder", folder]);
    }
    for (name, value) in [
        ("Protocol", "http"),
        ("Server", host),
        ("Port", &format!(":{port}")),
        ("Api", api),
        ("token", &server.token),
    ] {
        newman.arg("--env-var").arg(format!("{name}={value}"));
    }
    newman
        .args(["--reporters", "json", "--reporter-json-export"])
        .arg(&report);
    // newman's exit code tells of any failure; which ones are allowed is decided here
    newman.stdout(Stdio::null()).status().context("newman")?;
    let report: Value = serde_json::from_str(&fs::read_to_string(&report)?)?;
    let expected: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("expected-failures.json"))?)?;
    compare(&report, &expected)
}

fn compare(report: &Value, expected: &Value) -> anyhow::Result<()> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut failed = Vec::new();
    for execution in list(&report["run"]["executions"]) {
        for assertion in list(&execution["assertions"]) {
            if assertion.get("error").is_some() {
                failed.push((
                    execution["item"]["name"].clone(),
                    assertion["assertion"].clone(),
                ));
            }
        }
    }
    let total = report["run"]["stats"]["assertions"]["total"]
        .as_u64()
        .unwrap_or_default();
    println!(
        "Microsoft's collection: {} of {total} assertions green",
        total.saturating_sub(failed.len() as u64)
    );
    let expected: Vec<(Value, Value)> = list(expected)
        .into_iter()
        .map(|entry| (entry["test"].clone(), entry["assertion"].clone()))
        .collect();
    let surprises: Vec<_> = failed
        .iter()
        .filter(|failure| !expected.contains(failure))
        .collect();
    let gone: Vec<_> = expected
        .iter()
        .filter(|failure| !failed.contains(failure))
        .collect();
    for (test, assertion) in &surprises {
        println!("  failed: {test}: {assertion}");
    }
    for (test, assertion) in &gone {
        println!("  listed as failing, but green: {test}: {assertion}");
    }
    if total < 100 || !surprises.is_empty() || !gone.is_empty() {
        bail!("Microsoft's collection is not as docs/conformance.md says");
    }
    Ok(())
}

/// A server on a fresh store, with an organisation and a token; stopped when dropped.
struct Server {
    process: Child,
    url: String,
    token: String,
}

impl Server {
    fn start(tools: &Path) -> anyhow::Result<Self> {
        let folder = tools.join("server");
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder)?;
        let rollcall = || {
            let mut command = Command::new(binary());
            command
                .current_dir(&folder)
                .env("ROLLCALL_STORE", "sqlite:rollcall.db")
                .stderr(Stdio::null());
            command
        };
        command_ok(
            rollcall()
                .args(["org", "create", "vault", "--name", "Vault"])
                .stdout(Stdio::null()),
        )?;
        let output = rollcall()
            .args(["token", "create", "--org", "vault"])
            .output()?;
        let token = String::from_utf8(output.stdout)?.trim().to_owned();
        let mut process = rollcall()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("ROLLCALL_RATE", "100000")
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = process.stderr.take().context("the server's messages")?;
        let mut lines = BufReader::new(stderr).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once(" on ")
                    .map(|(_, address)| address.trim().to_owned())
            })
            .context("the server did not say where it listens")?;
        // what else it says must not fill the pipe
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self {
            process,
            url: format!("http://{address}/scim/v2/vault"),
            token,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn binary() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("debug/rollcall")
}
