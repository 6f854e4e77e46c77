//! A real browser, Debian's chromium, on the console.

mod activation;
mod hands;
mod samples;
mod screens;
mod walk;

use std::io::{BufRead, BufReader};
use std::mem::ManuallyDrop;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use thirtyfour::prelude::*;

/// A running chromium, with the driver that moves it.
pub(crate) struct Browser {
    /// Never dropped: it would wait for an answer that a test which has failed does not hear.
    pub(crate) page: ManuallyDrop<WebDriver>,
    _driver: Driver,
}

/// The driver's process, which leads a group of its own with the browser in it; the group is killed when this is dropped.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        drop(Command::new("kill").args(["-9", "--", &group]).status());
        drop(self.0.wait());
    }
}

impl Browser {
    /// Starts one, of this size.
    pub(crate) async fn start(width: u32, height: u32) -> Self {
        Self::start_with(width, height, &[]).await
    }

    /// Starts one, of this size, with these variables in its environment.
    pub(crate) async fn start_with(width: u32, height: u32, variables: &[(&str, &str)]) -> Self {
        // the driver is spoken to by http; its client asks for a provider all the same
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .envs(variables.iter().copied())
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("`chromedriver` cannot be started ({error}): install the Debian package `chromium-driver`")
            });
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let driver = Driver(process);
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let port = line.split("successfully on port ").nth(1)?;
                Some(port.trim_end_matches('.').to_owned())
            })
            .unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let mut options = DesiredCapabilities::chrome();
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            // grey edges of letters, the same everywhere
            "--disable-lcd-text",
            &format!("--window-size={width},{height}"),
        ] {
            options.add_arg(argument).unwrap();
        }
        let page = WebDriver::new(format!("http://127.0.0.1:{port}"), options)
            .await
            .unwrap();
        let browser = Self {
            page: ManuallyDrop::new(page),
            _driver: driver,
        };
        browser.size(width, height).await;
        browser
    }

    /// Gives the page this size; narrower than a window can be, too.
    pub(crate) async fn size(&self, width: u32, height: u32) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.tell("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// Chooses light or dark.
    pub(crate) async fn scheme(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.tell("Emulation.setEmulatedMedia", features).await;
    }

    /// Switches the scripts of pages off.
    pub(crate) async fn without_scripts(&self) {
        let off = json!({"value": true});
        self.tell("Emulation.setScriptExecutionDisabled", off).await;
    }

    pub(super) async fn tell(&self, command: &str, parameters: Value) -> Value {
        self.page.cdp().send_raw(command, parameters).await.unwrap()
    }

    /// Opens an address.
    pub(crate) async fn open(&self, address: &str) {
        self.page.goto(address).await.unwrap();
    }

    /// Runs a script in the page and returns what it returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let done = self.page.execute(script, Vec::new()).await.unwrap();
        done.json().clone()
    }

    /// Returns how far the page can be scrolled sideways, in pixels.
    pub(crate) async fn sideways(&self) -> i64 {
        let script =
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.run(script).await.as_i64().unwrap()
    }

    /// Finds what axe-core has against the page (WCAG 2.2 A and AA, best practice), or against its colours alone.
    pub(crate) async fn findings(&self, colours_alone: bool) -> Vec<String> {
        const AXE: &str = include_str!("../../vendor/axe-core/axe.min.js");
        self.page.execute(AXE, Vec::new()).await.unwrap();
        let only = if colours_alone {
            "runOnly: ['color-contrast'], "
        } else {
            ""
        };
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document, {ONLYresultTypes: ['violations']}).then(found => done(found.violations.map(violation =>
                violation.id + ': ' + violation.nodes.map(node => node.html.slice(0, 160) + ' ' + (node.failureSummary || '').replace(/\\s+/g, ' ').slice(0, 200)).slice(0, 3).join(' | '))))
                .catch(error => done(['axe: ' + error]))";
        let script = script.replace("ONLY", only);
        let done = self.page.execute_async(&script, Vec::new()).await.unwrap();
        let found = done.json().as_array().cloned().unwrap_or_default();
        found
            .iter()
            .map(|text| text.as_str().unwrap_or_default().to_owned())
            .collect()
    }
}
