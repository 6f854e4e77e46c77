//! What an operator watches: figures, and traces.

mod exposition;
mod figures;
mod logs;
mod sink;
mod traces;

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::{Installation, Scim, Server};

/// How long a test waits for what is said to come soon.
const PATIENCE: Duration = Duration::from_secs(30);

/// An installation with two organisations, and a server that is watched. Northwind is provisioned into Vault.
struct Watched {
    installation: Installation,
    server: Server,
    said: Vec<String>,
    northwind: Scim,
    vault: Scim,
}

impl Watched {
    fn started(variables: &[(&str, &str)]) -> Self {
        let variables = [&[("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")], variables].concat();
        Self::started_by(|folder| Server::start_telling(folder, "127.0.0.1:0", &variables))
    }

    /// Starts it, with a server that is started like this in the folder of the installation.
    fn started_by(start: impl FnOnce(&Path) -> (Server, Vec<String>)) -> Self {
        let (installation, token) = Installation::with("vault");
        installation.ok(&["org", "create", "northwind", "--name", "Northwind Traders"]);
        let own = installation.ok(&["token", "create", "--org", "northwind"]);
        std::fs::write(installation.folder.path().join("token"), &token).unwrap();
        let (server, said) = start(installation.folder.path());
        Self {
            northwind: server.scim("northwind", &own),
            vault: server.scim("vault", &token),
            installation,
            server,
            said,
        }
    }

    /// Runs `rollcall app …` in Northwind.
    #[track_caller]
    fn app(&self, arguments: &[&str]) {
        let all = [&["app"], arguments, &["--org", "northwind"]].concat();
        let mut command = self.installation.command(&all);
        command.env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true");
        let Output { status, stderr, .. } = command.output().unwrap();
        let said = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{arguments:?}: {said}");
    }

    /// Switches an application on that provisions a person with this name, and waits until the person has arrived.
    async fn provision(&self, name: &str) {
        self.northwind.person(name).await;
        self.app(&["create", "Vault"]);
        let url = &self.vault.base;
        self.app(&["connect", "Vault", "--url", url, "--token-file", "token"]);
        self.app(&["assign", "Vault", &format!("user:{name}")]);
        self.app(&["start", "Vault"]);
        let begun = Instant::now();
        let path = format!("/Users?filter=userName eq \"{name}\"");
        while self.vault.get(&path).await.body["totalResults"] != 1 {
            assert!(begun.elapsed() < PATIENCE, "{name} does not arrive");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Returns the address at which figures are shown.
    fn figures(&self) -> Option<&str> {
        let mut said = self.said.iter();
        said.find_map(|line| Some(line.split_once("figures  ")?.1.trim()))
    }
}

/// Stops a server as an operator does; returns how long it took.
fn stop(server: &mut Server) -> Duration {
    let begun = Instant::now();
    let stopped = Command::new("kill")
        .args(["-TERM", &server.process.id().to_string()])
        .status();
    assert!(stopped.unwrap().success());
    assert!(server.process.wait().unwrap().success());
    begun.elapsed()
}
