//! `rollcall serve`: the endpoint, the console and the engine, until they are told to stop.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use rollcall_app::App;
use rollcall_app::traffic::Recorder;
use rollcall_console::Console;
use rollcall_endpoint::Endpoint;
use rollcall_engine::Engine;
use rollcall_mail::Way;
use rollcall_web::gate::Gate;
use rollcall_web::rates::Rates;
use rollcall_web::serve::Bounds;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Source};
use crate::figures::{self, Figures};
use crate::outcome::{Exit, Trouble};
use crate::traces::{self, Traces};
use crate::{printer, runtime};

/// How often whoever has not asked for a while is forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(1);
/// Connections at the same time to the address where figures are shown.
const WATCHERS: u32 = 16;

pub(crate) async fn run(config: &Config) -> anyhow::Result<Exit> {
    let traces = traces::begin(config)?;
    let listener = bind(&config.listen.value).await?;
    let metrics = match &config.metrics_listen.value {
        Some(address) => Some(bind_for("--metrics-listen", address).await?),
        None => None,
    };
    let mut config = config.clone();
    if config.public_url.source == Source::Default {
        // the address may have asked for any free port
        config.public_url.value = format!("http://{}", listener.local_addr()?);
    }
    let app = runtime::begun(&config).await?;
    let _only_server = app.store().claim_server()?;
    for warning in app.store().warnings() {
        printer::say(&format!("warning: {}", warning.trouble));
        printer::hint(&warning.remedy);
    }
    let rates = NonZeroU32::new(config.rate.value).map_or_else(Rates::default, Rates::new);
    let mut listeners = vec![listener.local_addr()?];
    if let Some(metrics) = &metrics {
        listeners.push(metrics.local_addr()?);
    }
    let mut client = runtime::client_beside(&config, listeners)?;
    if traces.is_some() {
        client = client.traced(traces::traceparent);
    }
    let engine = Engine::new(app.clone(), client);
    let mail = runtime::mail(&config)?;
    let serving = Serving {
        app: app.clone(),
        engine,
        runs_cycles: true,
        mail,
        rates,
        metrics,
        traces: traces.as_ref().map(Traces::figures),
    };
    let served = start(serving, listener).await?;
    printer::say(&format!(
        "rollcall serves {} on {}",
        config.store.value, served.address
    ));
    printer::say(&format!(
        "  SCIM     {}/scim/v2/ORGANISATION",
        config.public_url.value
    ));
    printer::say(&format!("  console  {}/", config.public_url.value));
    if let Some(address) = served.metrics {
        printer::say(&format!("  figures  http://{address}/metrics"));
    }
    if let Some(address) = app.open_set_up().await? {
        printer::say(
            "  there is no organisation yet; this page makes the first one, and works once:",
        );
        printer::say(&format!("           {}", address.expose()));
    }
    printer::say("  stop it with Ctrl-C or SIGTERM");
    stop_signal().await?;
    printer::say("finishing what is in flight …");
    served.stop().await;
    if let Some(traces) = traces {
        traces.flush().await;
    }
    Ok(Exit::Done)
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Served {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where it shows figures; absent: nowhere.
    pub(crate) metrics: Option<SocketAddr>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    /// What records requests, and how it is told that the last one was answered.
    recording: (JoinHandle<()>, CancellationToken),
}

impl Served {
    /// Runs the cycles that are due, from now on.
    pub(crate) fn run_cycles(&mut self, engine: Engine) {
        let cycles = rollcall_engine::schedule::run(engine, self.stop.clone());
        self.tasks.push(tokio::spawn(cycles));
    }

    /// Takes no new connections and returns when all requests are answered.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            drop(task.await);
        }
        let (recording, answered) = self.recording;
        answered.cancel();
        drop(recording.await);
    }
}

/// Listens on an address.
pub(crate) async fn bind(listen: &str) -> anyhow::Result<TcpListener> {
    bind_for("--listen", listen).await
}

async fn bind_for(flag: &str, listen: &str) -> anyhow::Result<TcpListener> {
    let refused = |error| {
        Trouble::unreachable(format!("cannot listen on `{listen}`: {error}")).hint(format!(
            "choose another address with {flag}, for example 127.0.0.1:0 for any free port"
        ))
    };
    Ok(TcpListener::bind(listen).await.map_err(refused)?)
}

/// What a server serves.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) app: App,
    pub(crate) engine: Engine,
    /// Whether the cycles that are due are run.
    pub(crate) runs_cycles: bool,
    /// The way that mail takes; absent: none is written.
    pub(crate) mail: Option<Way>,
    pub(crate) rates: Rates,
    /// Where figures are shown; absent: nowhere.
    pub(crate) metrics: Option<TcpListener>,
    /// What is counted of traces; absent: none are sent.
    pub(crate) traces: Option<Arc<traces::Figures>>,
}

/// Starts the server.
pub(crate) async fn start(serving: Serving, listener: TcpListener) -> anyhow::Result<Served> {
    let Serving {
        app,
        engine,
        runs_cycles,
        mail,
        rates,
        metrics,
        traces,
    } = serving;
    let address = listener.local_addr()?;
    let rates = Arc::new(rates);
    let (recorder, recording) = Recorder::new(app.clone());
    let answered = CancellationToken::new();
    let recording = tokio::spawn(recording.run(answered.clone().cancelled_owned()));
    let endpoint = Endpoint::new(app.clone(), Arc::clone(&rates), recorder)
        .await
        .context("preparing the endpoint")?;
    let gate = Gate {
        app: app.clone(),
        figures: Arc::default(),
    };
    let figures = Figures {
        app: app.clone(),
        engine: engine.clone(),
        web: Arc::clone(&gate.figures),
        mail: Arc::default(),
        traces,
    };
    let mut router = Router::new()
        .merge(rollcall_web::health::routes(app.clone()))
        .merge(rollcall_endpoint::routes(endpoint))
        .merge(rollcall_console::routes(Console::new(
            app.clone(),
            engine.clone(),
        )))
        .layer(from_fn_with_state(gate, rollcall_web::gate::enter));
    if figures.traces.is_some() {
        router = router.layer(from_fn(traces::continued));
    }
    let stop = CancellationToken::new();
    let server = tokio::spawn(rollcall_web::serve::serve(
        listener,
        router,
        Bounds::default(),
        stop.clone().cancelled_owned(),
    ));
    let mut tasks = vec![server, tokio::spawn(forget(rates, stop.clone()))];
    if let Some(way) = mail {
        let counting = Arc::clone(&figures.mail);
        tasks.push(tokio::spawn(rollcall_mail::run(
            app,
            way,
            counting,
            stop.clone(),
        )));
    }
    let metrics_address = metrics.as_ref().map(TcpListener::local_addr).transpose()?;
    if let Some(listener) = metrics {
        let bounds = Bounds {
            connections: WATCHERS,
            // nobody waits for the end of a page of figures
            drain_time: Duration::from_secs(1),
            ..Bounds::default()
        };
        let stop = stop.clone().cancelled_owned();
        let shown = figures::routes(figures);
        tasks.push(tokio::spawn(rollcall_web::serve::serve(
            listener, shown, bounds, stop,
        )));
    }
    let mut served = Served {
        address,
        metrics: metrics_address,
        stop,
        tasks,
        recording: (recording, answered),
    };
    if runs_cycles {
        served.run_cycles(engine);
    }
    Ok(served)
}

async fn forget(rates: Arc<Rates>, stop: CancellationToken) {
    while tokio::time::timeout(FORGET_EVERY, stop.cancelled())
        .await
        .is_err()
    {
        rates.forget_idle();
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
