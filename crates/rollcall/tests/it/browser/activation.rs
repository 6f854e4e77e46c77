//! A person activates an account, in a browser whose every byte is recorded: the password is in none of them, and in no file.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::Browser;
use crate::console::guest;
use crate::console::invitations::{House, link};

const PASSWORD: &str = "Grüße vom Kanarienvogel 7";
const ANN: &str = "ann@example.com";

/// Stands between browser and server, and keeps what the browser sends.
struct Recorder {
    address: SocketAddr,
    /// What came over each connection.
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorder {
    fn before(server: &str) -> Self {
        let upstream = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&sent);
        std::thread::spawn(move || {
            for browser in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&upstream) else {
                    continue;
                };
                let place = {
                    let mut all = all.lock().unwrap();
                    all.push(Vec::new());
                    all.len() - 1
                };
                let (from, to) = (browser.try_clone().unwrap(), server.try_clone().unwrap());
                let kept = Arc::clone(&all);
                std::thread::spawn(move || {
                    carry(from, to, |bytes| {
                        kept.lock().unwrap()[place].extend_from_slice(bytes);
                    });
                });
                std::thread::spawn(move || carry(server, browser, |_| {}));
            }
        });
        Self { address, sent }
    }

    fn all(&self) -> Vec<Vec<u8>> {
        self.sent.lock().unwrap().clone()
    }

    /// The fields of the form that was sent to `/activate`.
    fn form(&self) -> String {
        let texts = self.all().into_iter();
        let mut texts = texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = texts.find(|text| text.contains("POST /activate ")).unwrap();
        let request = text.split("POST /activate ").nth(1).unwrap();
        let body = request.split("\r\n\r\n").nth(1).unwrap();
        body.split("GET ").next().unwrap().to_owned()
    }
}

/// Carries bytes one way until the end.
fn carry(mut from: TcpStream, mut to: TcpStream, mut keep: impl FnMut(&[u8])) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        keep(&bytes[..count]);
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Write));
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

/// Every file under a folder with its bytes.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((
                path.display().to_string(),
                std::fs::read(&path).unwrap_or_default(),
            ));
        }
    }
}

/// Unwraps a vault's key as decision 21 describes it, written down a second time; tells how long the key is, or that it does not open,
/// and which key the server would get.
const UNWRAP: &str = "
    const [password, salt, wrapped, rounds, done] = arguments;
    const read = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
    const bytes = (text) => new TextEncoder().encode(text);
    const write = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=/g, '');
    (async () => {
        const typed = await crypto.subtle.importKey('raw', bytes(password.normalize('NFKC')), 'PBKDF2', false, ['deriveBits']);
        const master = await crypto.subtle.deriveBits({name: 'PBKDF2', hash: 'SHA-256', salt: read(salt), iterations: rounds}, typed, 256);
        const root = await crypto.subtle.importKey('raw', master, 'HKDF', false, ['deriveBits']);
        const part = (info) => crypto.subtle.deriveBits({name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: bytes(info)}, root, 256);
        const wrapping = await crypto.subtle.importKey('raw', await part('rollcall vault wrapping'), 'AES-GCM', false, ['decrypt']);
        const recognition = write(await part('rollcall vault recognition'));
        const all = read(wrapped);
        try {
            const key = await crypto.subtle.decrypt({name: 'AES-GCM', iv: all.slice(0, 12), additionalData: read(salt)}, wrapping, all.slice(12));
            return [key.byteLength, recognition];
        } catch { return [0, recognition]; }
    })().then(done, (error) => done(String(error)));";

impl Browser {
    async fn unwrapped(&self, password: &str, form: &[(String, String)]) -> Value {
        let field = |name: &str| {
            let found = form.iter().find(|(field, _)| field == name);
            json!(found.unwrap().1)
        };
        let arguments = vec![
            json!(password),
            field("salt"),
            field("wrapped"),
            json!(600_000),
        ];
        let done = self.page.execute_async(UNWRAP, arguments).await.unwrap();
        done.json().clone()
    }
}

#[tokio::test]
async fn a_password_opens_the_vault_and_never_leaves_the_browser() {
    let mut house = House::new(true).await;
    let browser = Browser::start(1280, 900).await;
    browser
        .sign_in(&house.server.url, "owner@example.com", guest::PASSWORD)
        .await;
    browser.press("Organisation and plan").await;
    browser.choose("On").await;
    browser.press("Save this").await;
    browser.says("are invited by mail").await;
    let ann = house.scim.person(ANN).await;
    let (folder, recorder) = (house.mail.clone(), Recorder::before(&house.server.url));
    let path = tokio::task::spawn_blocking(move || link(&folder, ANN, 1))
        .await
        .unwrap();
    let person = format!("{}/users/{ann}", house.server.url);
    browser.open(&person).await;
    browser.says("Invited").await;

    browser
        .open(&format!("http://{}{path}", recorder.address))
        .await;
    browser
        .says("Activate your account at An organisation")
        .await;
    let user = browser.found("#user").await.value().await.unwrap();
    assert_eq!(user.as_deref(), Some(ANN));
    browser.fill("password", "too short").await;
    browser.says("3 more characters are needed").await;
    browser.press("Activate the account").await;
    browser.says("A password has 12 to 128 characters").await;
    browser.fill("password", PASSWORD).await;
    browser.says("hard to guess").await;
    browser.fill("again", "something else").await;
    browser.press("Activate the account").await;
    browser.says("The two passwords differ").await;
    browser.fill("again", PASSWORD).await;
    browser.press("Activate the account").await;
    browser.says("Your account is active").await;

    // what went over the wire
    let form: Vec<(String, String)> = recorder
        .form()
        .split('&')
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["csrf", "token", "salt", "key", "wrapped"]);
    let canaries = [
        PASSWORD,
        "Kanarienvogel",
        "vom+Kanarienvogel",
        "vom%20Kanarienvogel",
    ];
    for bytes in recorder.all() {
        for canary in canaries {
            assert!(!contains(&bytes, canary), "`{canary}` went over the wire");
        }
    }
    // what the keys do
    let key = form.iter().find(|(name, _)| name == "key").unwrap();
    let right = browser.unwrapped(PASSWORD, &form).await;
    assert_eq!(right, json!([32, key.1]), "the right password opens it");
    let wrong = browser.unwrapped("Grüße vom Kanarienvogel 8", &form).await;
    assert_eq!(wrong[0], json!(0), "a wrong one does not");
    assert_ne!(wrong[1], json!(key.1));

    // what is seen, and what is kept: neither the password nor the key that was sent
    browser.open(&person).await;
    browser.says("Account activated by its owner").await;
    let page = house.owner.get(&format!("/users/{ann}")).await.is(200).body;
    assert!(page.contains("pill-ok"), "{page}");
    let mut kept = Vec::new();
    files(house.installation.folder.path(), &mut kept);
    assert!(kept.iter().any(|(_, bytes)| contains(bytes, "$argon2id$")));
    for (file, bytes) in &kept {
        for canary in canaries.into_iter().chain([key.1.as_str()]) {
            assert!(!contains(bytes, canary), "`{canary}` is in {file}");
        }
    }
}

#[tokio::test]
async fn the_page_says_what_it_needs() {
    let house = House::new(true).await;
    let browser = Browser::start(1280, 900).await;
    browser
        .sign_in(&house.server.url, "owner@example.com", guest::PASSWORD)
        .await;
    let ann = house.scim.person(ANN).await;
    browser
        .open(&format!("{}/users/{ann}", house.server.url))
        .await;
    browser.press("Send invitation").await;
    browser.says("is on its way").await;
    let folder = house.mail.clone();
    let path = tokio::task::spawn_blocking(move || link(&folder, ANN, 1))
        .await
        .unwrap();
    let page = format!("{}{path}", house.server.url);

    let insecure =
        json!({"source": "Object.defineProperty(window, 'isSecureContext', {value: false})"});
    browser
        .tell("Page.addScriptToEvaluateOnNewDocument", insecure)
        .await;
    browser.open(&page).await;
    browser.says("has to be opened over https").await;
    assert!(!browser.shown().await.contains("The same password again"));

    browser.without_scripts().await;
    browser.open(&page).await;
    browser.says("This page needs JavaScript").await;
    assert!(!browser.found("#password").await.is_enabled().await.unwrap());
}
