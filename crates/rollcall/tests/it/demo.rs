//! The demonstration, from beginning to end, and killed in the middle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rollcall_app::App;
use rollcall_app::directory::Context;
use rollcall_connect::client::Client;
use rollcall_connect::guard::Reach;
use rollcall_engine::Engine;
use rollcall_model::{Action, JobState, Kind};
use rollcall_store::Tenant;

use crate::ends::app_on;
use crate::support::{Installation, Server, rollcall};

#[test]
fn the_demonstration_ends_with_both_ends_in_agreement() {
    let installation = Installation::new();

    let output = installation.run(&["demo", "--once", "--users", "120"]);

    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(
        said.matches("both ends agree object by object").count(),
        2,
        "{said}"
    );
    let summary = String::from_utf8(output.stdout).unwrap();
    assert!(summary.contains("peak memory"), "{summary}");
    assert_eq!(
        std::fs::read_dir(installation.folder.path())
            .unwrap()
            .count(),
        0,
        "nothing is left behind"
    );
}

/// The store of a demonstration, read beside the process that works on it.
struct Beside {
    app: App,
    context: Context,
    vault: Tenant,
}

impl Beside {
    async fn open(path: &Path) -> Self {
        let location = format!("sqlite:{}", path.display()).parse().unwrap();
        let app = app_on(&location, path.parent().unwrap()).await;
        let vault = app.organisation(&"vault".parse().unwrap()).await.unwrap();
        let northwind = app
            .organisation(&"northwind".parse().unwrap())
            .await
            .unwrap();
        Self {
            context: app.command_context(northwind.id),
            vault: app.store().tenant(vault.id),
            app,
        }
    }

    /// How many people Vault has.
    async fn arrived(&self) -> u64 {
        self.vault
            .read::<_, rollcall_store::Error, _>(|reader| Ok(reader.counts()?.users))
            .await
            .unwrap()
    }

    async fn job(&self) -> JobState {
        let application = self.app.applications(&self.context).await.unwrap()[0].id;
        let configured = self.app.configured(&self.context, application).await;
        configured.unwrap().job
    }

    /// How often each object of Vault was created, by its name.
    async fn creations(&self) -> BTreeMap<(Kind, String), u32> {
        self.vault
            .read::<_, rollcall_store::Error, _>(|reader| {
                let mut creations = BTreeMap::new();
                let mut all = Vec::new();
                loop {
                    let part = reader.changes(all.len() as u64, 1_000)?;
                    if part.is_empty() {
                        break;
                    }
                    all.extend(part);
                }
                for change in all {
                    if change.action == Action::Created {
                        let document = change.document.unwrap_or_default();
                        let name = document
                            .get("userName")
                            .or_else(|| document.get("displayName"));
                        let name = name.and_then(|name| name.as_str()).unwrap().to_lowercase();
                        *creations.entry((change.kind, name)).or_default() += 1;
                    }
                }
                Ok(creations)
            })
            .await
            .unwrap()
    }
}

/// Waits until something is so, while a process runs.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(
            begun.elapsed() < Duration::from_mins(2),
            "{what}: not after two minutes"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn store_in(folder: &Path) -> Option<PathBuf> {
    let found = std::fs::read_dir(folder).ok()?.flatten();
    let mut found = found.map(|entry| entry.path().join("rollcall.db"));
    found.find(|path| path.with_extension("db.key").exists())
}

fn kill(process: &mut Child) {
    process.kill().unwrap();
    process.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cycle_that_is_killed_again_and_again_ends_as_if_it_never_was() {
    const PEOPLE: u64 = 700;
    let installation = Installation::new();
    let folder = installation.folder.path();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let listen = format!("127.0.0.1:{port}");
    let people = PEOPLE.to_string();
    let mut demo = rollcall(folder, &["demo", "--users", &people, "--listen", &listen])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the store", async || store_in(folder).is_some()).await;
    let path = store_in(folder).unwrap();
    until("both organisations", async || {
        let output = rollcall(
            folder,
            &[
                "org",
                "show",
                "northwind",
                "--store",
                &format!("sqlite:{}", path.display()),
            ],
        )
        .output();
        output.unwrap().status.success()
    })
    .await;
    let beside = Beside::open(&path).await;
    until("people at Vault", async || {
        beside.arrived().await > PEOPLE / 8
    })
    .await;
    kill(&mut demo);
    let mut marks = vec![beside.arrived().await];

    let store = format!("sqlite:{}", path.display());
    let variables = [
        ("ROLLCALL_STORE", store.as_str()),
        ("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true"),
        ("ROLLCALL_RATE", "1000000"),
    ];
    for eighth in [3, 5] {
        let mut server = Server::start(folder, &listen, &variables);
        until("more people at Vault", async || {
            beside.arrived().await > PEOPLE * eighth / 8
        })
        .await;
        kill(&mut server.process);
        marks.push(beside.arrived().await);
    }
    let before = beside.job().await;
    assert!(
        before.last_complete.is_none(),
        "it was killed before the end: {marks:?}"
    );
    let server = Server::start(folder, &listen, &variables);
    until("the end of the cycle", async || {
        beside.job().await.last_complete.is_some()
    })
    .await;

    let client = Client::new(Reach::Anywhere).unwrap();
    let application = beside.app.applications(&beside.context).await.unwrap()[0].id;
    let engine = Engine::new(beside.app.clone(), client);
    let agreement = engine.compare(&beside.context, application).await.unwrap();
    assert!(agreement.holds(), "{agreement:#?}");
    assert!(
        agreement.users > PEOPLE / 2 && agreement.memberships > PEOPLE,
        "{agreement:?}"
    );
    let twice: Vec<_> = beside
        .creations()
        .await
        .into_iter()
        .filter(|(_, times)| *times != 1)
        .collect();
    assert!(twice.is_empty(), "{twice:?}");
    drop(server);
    println!("killed at {marks:?} people, then {agreement:?}");
}
