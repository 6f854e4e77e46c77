//! Pictures of the console for the documentation: the demonstration, looked at in a browser. `cargo xtask screens` keeps them;
//! otherwise it is tried whether they can be taken.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use thirtyfour::By;

use super::Browser;
use crate::support::{Installation, rollcall};

/// The largest picture, in bytes: they are in the repository.
const LARGEST: u64 = 200 * 1024;
/// A usual window.
const WIDE: (u32, u32) = (1440, 900);
/// A small one, for what is full of text.
const SMALL: (u32, u32) = (1200, 720);
/// A phone.
const NARROW: (u32, u32) = (390, 844);
/// Fonts of one family on every machine that has them.
const FONTS: &str = r#"<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include>
<match target="pattern"><test qual="all" name="family" compare="not_contains"><string>mono</string></test><edit name="family" mode="prepend" binding="strong"><string>Liberation Sans</string></edit></match>
<match target="pattern"><test name="family" compare="contains"><string>mono</string></test><edit name="family" mode="prepend" binding="strong"><string>Liberation Mono</string></edit></match>
</fontconfig>"#;

/// The demonstration while it serves; killed when dropped.
struct Demonstration {
    process: Child,
    url: String,
    /// Addresses and passwords: of Northwind, which sends, and of Vault, which receives.
    owners: Vec<(String, String)>,
}

impl Demonstration {
    fn start(folder: &Path) -> Self {
        let mut process = rollcall(folder, &["demo", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (mut url, mut owners) = (None, Vec::new());
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("The console: ") {
                url = Some(address.trim_end_matches('/').to_owned());
            }
            if let Some((_, owner)) = line.split_once("sign in as ") {
                let (email, password) = owner.split_once(", password ").unwrap();
                owners.push((email.to_owned(), password.trim().to_owned()));
            }
            if line.contains("Stop with Ctrl-C") {
                break;
            }
        }
        // what else it says must not fill the pipe
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            process,
            url: url.unwrap(),
            owners,
        }
    }
}

impl Drop for Demonstration {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Takes pictures into a folder.
struct Camera<'a> {
    browser: &'a Browser,
    folder: PathBuf,
}

impl Camera<'_> {
    async fn takes(&self, name: &str) {
        let path = self.folder.join(format!("{name}.png"));
        // not before the page is on the screen
        let painted = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))";
        let page = &self.browser.page;
        page.execute_async(painted, Vec::new()).await.unwrap();
        page.screenshot(&path).await.unwrap();
        let size = std::fs::metadata(&path).unwrap().len();
        assert!(size <= LARGEST, "{name}: {size} bytes");
    }

    async fn takes_in(&self, (width, height): (u32, u32), name: &str) {
        self.browser.size(width, height).await;
        self.takes(name).await;
        self.browser.size(WIDE.0, WIDE.1).await;
    }

    async fn takes_dark(&self, name: &str) {
        self.browser.scheme("dark").await;
        self.takes_in(SMALL, name).await;
        self.browser.scheme("light").await;
    }

    /// Opens an address and follows the first link that looks so.
    async fn follows(&self, address: &str, css: &str) {
        self.browser.open(address).await;
        self.browser.found(css).await.click().await.unwrap();
    }
}

/// Northwind, which sends.
async fn sending(camera: &Camera<'_>, at: &Demonstration) {
    let (browser, url) = (camera.browser, &at.url);
    let (email, password) = &at.owners[0];
    browser.sign_in(url, email, password).await;
    camera.takes("dashboard").await;
    browser.press("Enterprise applications").await;
    browser.press("Vault").await;
    browser.says("Statistics to date").await;
    camera.takes("application").await;
    // what is changed from here on is to be seen in a plan, not to be sent
    browser.press("Stop provisioning").await;
    browser.says("Provisioning off").await;
    browser.press("Mappings").await;
    browser.press("Edit displayName").await;
    browser.choose("Expression").await;
    browser
        .fill("ex", "Join(\", \", [surname], [givenName])")
        .await;
    browser.press("Preview").await;
    browser.found("output.result").await;
    browser.press("Count everyone in scope").await;
    browser.says("get a value").await;
    camera.takes("mapping").await;
    browser.press("Apply").await;
    browser.says("Saved").await;
    browser.press("Plan").await;
    browser.press("Make a plan").await;
    browser.says_in_time("Send this plan once").await;
    browser.found(".plan summary").await.click().await.unwrap();
    camera.takes("plan").await;
    let logs = format!("{url}/provisioning-logs?action=create&q=adele.d");
    camera.follows(&logs, "a.rowlink").await;
    browser.says("Import").await;
    camera.takes_in(SMALL, "provisioning-logs").await;
    browser.sign_out(url).await;
}

/// Vault, which receives.
async fn receiving(camera: &Camera<'_>, at: &Demonstration) {
    let (browser, url) = (camera.browser, &at.url);
    let (email, password) = &at.owners[1];
    browser.sign_in(url, email, password).await;
    browser.press("Directory integrations").await;
    browser.says("Endpoint URL").await;
    camera.takes_in(SMALL, "directory-integration").await;
    browser.press("Users").await;
    browser.says("Managed by").await;
    camera.takes_in(SMALL, "people").await;
    camera
        .follows(&format!("{url}/users?q=a"), "td a.name")
        .await;
    browser.says("Timeline").await;
    camera.takes_in(NARROW, "person").await;
    // of so many requests in a second only some are kept: the last change of those
    browser.open(&format!("{url}/requests")).await;
    let change = By::Css("tr:has(.verb-w) a.rowlink");
    while !browser.clicked(change.clone()).await {
        browser.press("Older").await;
    }
    browser.says("Answer").await;
    camera.takes_dark("live-requests").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_screens_of_the_documentation_are_those_of_the_demonstration() {
    let installation = Installation::new();
    let scratch = installation.folder.path();
    let folder = std::env::var_os("ROLLCALL_SCREENS");
    let folder = folder.map_or_else(|| scratch.join("screens"), PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    let fonts = scratch.join("fonts.conf");
    std::fs::write(&fonts, FONTS).unwrap();
    let fonts = fonts.display().to_string();
    let demonstration = Demonstration::start(scratch);
    let browser = Browser::start_with(WIDE.0, WIDE.1, &[("FONTCONFIG_FILE", &fonts)]).await;
    browser.scheme("light").await;
    let camera = Camera {
        browser: &browser,
        folder,
    };

    browser.open(&format!("{}/", demonstration.url)).await;
    browser.says("Sign in to Rollcall").await;
    camera.takes("sign-in").await;
    sending(&camera, &demonstration).await;
    receiving(&camera, &demonstration).await;

    assert_eq!(std::fs::read_dir(&camera.folder).unwrap().count(), 10);
}
