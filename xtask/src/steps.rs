//! The steps of a test run: named, timed, and to be run alone.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::{conformance, need, supply, tidy};

/// A step of a test run.
pub(crate) struct Step {
    name: &'static str,
    run: fn() -> anyhow::Result<()>,
}

/// Every step, in order: the cheap ones first.
pub(crate) const ALL: &[Step] = &[
    Step {
        name: "format",
        run: format,
    },
    Step {
        name: "tidy",
        run: tidy::check,
    },
    Step {
        name: "supply",
        run: supply::run,
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "tests",
        run: tests,
    },
    Step {
        name: "postgres",
        run: postgres,
    },
    Step {
        name: "doctests",
        run: doctests,
    },
    Step {
        name: "conformance",
        run: conformance::run,
    },
    Step {
        name: "demo",
        run: demo,
    },
];

/// The steps of the inner loop.
pub(crate) const QUICK: &[Step] = &[
    Step {
        name: "format",
        run: format,
    },
    Step {
        name: "tidy",
        run: tidy::check,
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "tests",
        run: tests,
    },
];

/// Returns the names of all steps.
pub(crate) fn names() -> Vec<&'static str> {
    ALL.iter().map(|step| step.name).collect()
}

/// Runs the steps of these names.
pub(crate) fn run_named(names: &[&str]) -> anyhow::Result<()> {
    for name in names {
        let step = ALL.iter().find(|step| step.name == *name);
        let step = step.with_context(|| format!("there is no step `{name}`"))?;
        run(std::slice::from_ref(step))?;
    }
    Ok(())
}

/// Runs steps and prints how long each took. The first that fails ends the run.
pub(crate) fn run(steps: &[Step]) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for step in steps {
        println!("── {} ──", step.name);
        let begun = Instant::now();
        (step.run)().with_context(|| format!("step `{}` failed", step.name))?;
        times.push((step.name, begun.elapsed()));
    }
    println!();
    for (name, time) in times {
        println!("{name:<12} {:>7.1} s", time.as_secs_f64());
    }
    println!("{:<12} {:>7.1} s", "all", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Returns the repository's folder.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .map_or(here.clone(), std::path::Path::to_path_buf)
}

/// Runs cargo in the repository's folder.
pub(crate) fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    command_ok(&mut cargo_command(arguments))
}

/// Returns a command of cargo in the repository's folder.
pub(crate) fn cargo_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    // what cargo says of this tool would make build scripts, that of `ring` above all, run again, and all that needs them
    for (name, _) in std::env::vars_os() {
        let is_about_this_tool =
            |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(is_about_this_tool) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command; an exit code other than 0 is an error.
pub(crate) fn command_ok(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{command:?} could not be started"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

fn format() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"])
}

fn clippy() -> anyhow::Result<()> {
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ])
}

fn tests() -> anyhow::Result<()> {
    need::nextest()?;
    need::program("chromium", "chromium")?;
    need::program("chromedriver", "chromium-driver")?;
    need::postgresql()?;
    need::openldap()?;
    cargo(&["nextest", "run", "--workspace", "--no-fail-fast"])
}

/// Runs the end-to-end tests once more, each on a database of its own instead of a file.
fn postgres() -> anyhow::Result<()> {
    need::nextest()?;
    need::postgresql()?;
    need::openldap()?;
    // these have nothing to do with the store, or bring the databases themselves; of those who kill senders, which take long, one is
    // enough: its source is in the store as well
    let elsewhere = "browser|demo|faults::restarts|differential|nodes";
    let senders = "test(/^killed::/) - test(from_a_directory)";
    let filter = format!("package(rollcall) & binary(it) - test(/^({elsewhere})::/) - ({senders})");
    // the whole workspace: of one package alone other features would be built
    let mut command = cargo_command(&["nextest", "run", "--workspace", "--no-fail-fast"]);
    command.args(["-E", &filter]);
    command_ok(command.env("ROLLCALL_TEST_STORE", "postgres"))
}

fn doctests() -> anyhow::Result<()> {
    cargo(&["test", "--workspace", "--doc", "--quiet"])
}

/// The main job at full speed, with a directory of some size: it fails unless both ends agree object by object.
fn demo() -> anyhow::Result<()> {
    let arguments = ["demo", "--once", "--users", "20000"];
    cargo(&[&["run", "--release", "--quiet", "--"][..], &arguments].concat())
}

/// Takes the pictures of the console that the documentation shows.
pub(crate) fn screens() -> anyhow::Result<()> {
    need::nextest()?;
    need::program("chromium", "chromium")?;
    need::program("chromedriver", "chromium-driver")?;
    let folder = root().join("docs/screens");
    let mut command = cargo_command(&["nextest", "run", "-p", "rollcall", "browser::screens"]);
    command_ok(command.env("ROLLCALL_SCREENS", &folder))?;
    println!("The pictures are in {}.", folder.display());
    Ok(())
}

/// Fuzzes each target for so many seconds.
pub(crate) fn fuzz(seconds: &str) -> anyhow::Result<()> {
    let seconds: u32 = seconds.parse().context("how many seconds?")?;
    need::cargo_command("fuzz")?;
    for target in fuzz_targets()? {
        println!("── {target} ──");
        cargo_nightly(&[
            "fuzz",
            "run",
            &target,
            "--",
            &format!("-max_total_time={seconds}"),
            "-max_len=4096",
            "-timeout=10",
        ])?;
    }
    Ok(())
}

/// Returns the names of all fuzz targets.
pub(crate) fn fuzz_targets() -> anyhow::Result<BTreeSet<String>> {
    let files = std::fs::read_dir(root().join("fuzz/fuzz_targets"))?;
    let name = |file: std::fs::DirEntry| {
        let name = file.file_name().into_string().ok()?;
        name.strip_suffix(".rs").map(str::to_owned)
    };
    Ok(files.flatten().filter_map(name).collect())
}

fn cargo_nightly(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("cargo");
    command.arg("+nightly").args(arguments).current_dir(root());
    // the variable would choose the compiler that runs this tool
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    command_ok(&mut command)
}

/// Measures every page of the console where both ends have so many people, and a group of all of them.
pub(crate) fn bench_pages(people: &str) -> anyhow::Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args([
        "test",
        "--release",
        "--package",
        "rollcall",
        "--test",
        "it",
        "--",
    ]);
    command.args([
        "--ignored",
        "--exact",
        "--nocapture",
        "console::page_times::every_page_is_fast",
    ]);
    command
        .env("ROLLCALL_BENCH_PEOPLE", people)
        .current_dir(root());
    command_ok(&mut command)
}

/// Builds the program and its benchmarks, and runs these, or all.
pub(crate) fn bench(arguments: &[&str]) -> anyhow::Result<()> {
    need::postgresql()?;
    // each as it is built alone: what the other one needs is not to get into it
    for package in ["rollcall", "rollcall-bench"] {
        cargo(&["build", "--release", "--package", package])?;
    }
    let all = ["run", "--release", "--package", "rollcall-bench", "--"];
    cargo(&[&all, arguments].concat())
}
