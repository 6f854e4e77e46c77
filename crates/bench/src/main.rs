//! Benchmarks of Rollcall as it ships: a release binary, whole processes, real disks and databases.
//!
//! **Is:** what stands behind every claim of speed. A comparison measures both sides in one run, in turns, so that whatever else the
//! machine does falls on both. **Is not:** a test; a goal that is missed is told in the table, and the exit code is 0.
//! **Start at** [`benchmarks`]; `cargo xtask bench` builds what is needed and runs this.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

mod bare;
mod benchmarks;
mod cores;
mod house;
mod load;
mod people;
mod report;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};

use crate::benchmarks::{create, cycle, entra, nodes, read, size};
use crate::house::House;
use crate::report::Report;

/// As in what is measured, so that the same allocator stands on both sides of a comparison.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Groups of so many members are in every store that has so many people.
const GROUP_SIZES: [u64; 4] = [10, 1_000, 100_000, 1_000_000];

/// So many people are imported at a time.
const PART: usize = 200_000;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The other side of `read`: serves the pages of a file
    #[command(hide = true)]
    Bare { file: PathBuf },
}

/// A benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// A person by id, beside a bare axum handler
    Read,
    /// Durable creates, beside raw inserts, on SQLite and on PostgreSQL
    Create,
    /// Filters, changes of groups, pages, memory and start, in stores of each size
    Size,
    /// The requests of an initial cycle of Entra's service
    Entra,
    /// Whole cycles between two organisations
    Cycle,
    /// Two nodes on PostgreSQL, beside one
    Nodes,
}

#[derive(Debug, clap::Args)]
struct Settings {
    /// Which to run [default: all]
    benchmarks: Vec<Benchmark>,
    /// The program
    #[arg(long, default_value = "target/release/rollcall")]
    binary: PathBuf,
    /// Where stores are made; those of each size are kept, for making them takes longer than the benchmarks
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    /// The sizes of the stores
    #[arg(
        long,
        value_name = "NUMBERS",
        value_delimiter = ',',
        default_value = "1000,100000,1000000"
    )]
    people: Vec<u64>,
    /// Where the figures are written as JSON
    #[arg(long, value_name = "FILE", default_value = "target/bench/figures.json")]
    json: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let Arguments {
        command,
        mut settings,
    } = Arguments::parse();
    if let Some(Command::Bare { file }) = command {
        return bare::serve(&file);
    }
    std::fs::create_dir_all(&settings.folder)?;
    settings.folder = settings.folder.canonicalize()?;
    settings.binary = settings.binary.canonicalize().with_context(|| {
        format!(
            "{}: `cargo build --release` makes it",
            settings.binary.display()
        )
    })?;
    settings.people.sort_unstable();
    if settings.benchmarks.is_empty() {
        settings.benchmarks = Benchmark::value_variants().to_vec();
    }
    let version = std::process::Command::new(&settings.binary)
        .arg("--version")
        .output()?;
    let mut report = Report::new(String::from_utf8(version.stdout)?.trim().to_owned());
    for &benchmark in &settings.benchmarks {
        let name = benchmark.to_possible_value();
        println!("{}", name.as_ref().map_or("", |name| name.get_name()));
        run(benchmark, &settings, &mut report)?;
    }
    println!("\n{}", report.table());
    let file = std::fs::File::create(&settings.json)?;
    serde_json::to_writer_pretty(file, &report)?;
    println!("also as JSON: {}", settings.json.display());
    Ok(())
}

fn run(benchmark: Benchmark, settings: &Settings, report: &mut Report) -> anyhow::Result<()> {
    // those who ask do as little as they can, on one thread
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match benchmark {
        Benchmark::Read => cores::on_the_others(|| runtime.block_on(read::run(settings, report))),
        Benchmark::Create => runtime.block_on(create::run(settings, report)),
        Benchmark::Size => runtime.block_on(size::run(settings, report)),
        Benchmark::Entra => runtime.block_on(entra::run(settings, report)),
        Benchmark::Cycle => cycle::run(settings, report),
        Benchmark::Nodes => runtime.block_on(nodes::run(settings, report)),
    }
}

impl Settings {
    /// Returns the size of the smallest store.
    fn smallest(&self) -> u64 {
        self.people.first().copied().unwrap_or(1_000)
    }

    /// Returns a store with so many people and a token for it, made when it is not there from an earlier run.
    fn house(&self, people: u64) -> anyhow::Result<(House, String)> {
        let file = self.folder.join(format!("people-{people}.db"));
        let store = |file: &Path| format!("sqlite:{}", file.display());
        if !file.exists() {
            let begun = Instant::now();
            let making = tempfile::tempdir_in(&self.folder)?;
            let new = making.path().join("new.db");
            let (house, _) = House::new(&self.binary, making.path(), store(&new))?;
            // a file for an import has to be shorter than 256 MiB
            let import = [
                "import",
                "--org",
                house::ORGANISATION,
                "--users",
                "users.jsonl",
            ];
            let users = making.path().join("users.jsonl");
            for from in (0..people).step_by(PART) {
                people::write(&users, from..people.min(from + PART as u64), "Buyer")?;
                house.run(&import)?;
            }
            let groups = group_sizes(people)
                .into_iter()
                .map(|size| (group_of(size), 0..size));
            people::write_groups(&making.path().join("groups.jsonl"), groups)?;
            house.run(&[&import[..], &["--groups", "groups.jsonl"]].concat())?;
            // a store is nothing without its key
            let key = |store: &Path| format!("{}.key", store.display());
            std::fs::rename(key(&new), key(&file))?;
            std::fs::rename(&new, &file)?;
            println!(
                "  made a store with {people} people in {:.0?}",
                begun.elapsed()
            );
        }
        let house = House {
            binary: self.binary.clone(),
            folder: self.folder.clone(),
            store: store(&file),
        };
        let token = house.token().with_context(|| {
            format!(
                "{}: remove it when it is of another version",
                file.display()
            )
        })?;
        Ok((house, token))
    }
}

/// Returns the sizes of the groups in a store of so many people.
fn group_sizes(people: u64) -> Vec<u64> {
    GROUP_SIZES
        .into_iter()
        .filter(|size| *size <= people)
        .collect()
}

/// Returns the name of the group with so many members.
fn group_of(size: u64) -> String {
    format!("Everybody up to {size}")
}
