//! Rollcall as a process: its commands, and a server that is watched from outside.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::load::{Connection, count};

/// The organisation that every store has.
pub(crate) const ORGANISATION: &str = "vault";

/// A store and the program that works with it.
#[derive(Debug, Clone)]
pub(crate) struct House {
    pub(crate) binary: PathBuf,
    /// Where its commands run, and its files lie.
    pub(crate) folder: PathBuf,
    /// The address of its store.
    pub(crate) store: String,
}

impl House {
    /// Makes a store with an organisation and a token of it.
    pub(crate) fn new(
        binary: &Path,
        folder: &Path,
        store: String,
    ) -> anyhow::Result<(Self, String)> {
        let house = Self {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            store,
        };
        house.run(&["org", "create", ORGANISATION, "--name", "Vault"])?;
        let token = house.token()?;
        Ok((house, token))
    }

    /// Makes a token.
    pub(crate) fn token(&self) -> anyhow::Result<String> {
        self.run(&["token", "create", "--org", ORGANISATION])
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("ROLLCALL_STORE", &self.store)
            .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")
            .env("ROLLCALL_RATE", "1000000000")
            .env("ROLLCALL_LOG", "warn");
        command
    }

    /// Runs a command, and returns what it prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(arguments).output()?;
        if !output.status.success() {
            bail!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Starts a server, and waits until it listens.
    pub(crate) fn serve(&self) -> anyhow::Result<Server> {
        Server::start(self.command(&["serve", "--listen", "127.0.0.1:0"]))
    }
}

/// A server, which ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Host and port.
    pub(crate) authority: String,
    /// How long it took from the start of the process until it said that it listens.
    pub(crate) starting: Duration,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    /// Starts a program that says on its standard error ` on ADDRESS` when it listens.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let messages = child.stderr.take().context("the server's messages")?;
        let mut lines = BufReader::new(messages).lines().map_while(Result::ok);
        let mut said = String::new();
        let address = lines.find_map(|line| {
            let address = line
                .split_once(" on ")
                .map(|(_, address)| address.trim().to_owned());
            said.push_str(&line);
            address
        });
        let starting = begun.elapsed();
        std::thread::spawn(move || lines.for_each(|line| eprintln!("{line}")));
        let Some(address) = address else {
            drop(child.kill());
            bail!("the server does not start: {said}");
        };
        Ok(Self {
            child,
            authority: address.trim_start_matches("http://").to_owned(),
            starting,
        })
    }

    pub(crate) async fn connect(&self, token: &str) -> anyhow::Result<Connection> {
        Connection::open(&self.authority, token).await
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the most memory that it has had, in MiB.
    pub(crate) fn peak_mib(&self) -> anyhow::Result<f64> {
        peak_mib(self.id()).context("the server's memory")
    }

    /// Returns how long processors have worked for it.
    pub(crate) fn work(&self) -> anyhow::Result<Duration> {
        work(self.id()).context("the server's work")
    }
}

/// Returns the most memory that a process has had, in MiB.
pub(crate) fn peak_mib(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(count(kibibytes) / 1024.0)
}

/// Returns how long processors have worked for a process, for itself and for its calls of the system, to the hundredth of a second.
pub(crate) fn work(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // proc_pid_stat(5): the name may hold anything, and is followed by the state; user and system time are fields 14 and 15
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields = fields.split_whitespace().skip(11).take(2);
    let ticks = fields.map(|field| field.parse::<u64>().ok());
    Some(Duration::from_millis(ticks.sum::<Option<u64>>()? * 10))
}
