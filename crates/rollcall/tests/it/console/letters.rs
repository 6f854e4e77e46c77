//! Mail: what is written to whom, into a folder and to an SMTP server.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::guest::administrator;
use crate::support::{Installation, Server};

/// Waits for the first mail in a folder that says something.
fn awaited(folder: &Path, text: &str) -> String {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        let files = std::fs::read_dir(folder).into_iter().flatten();
        for file in files.map_while(Result::ok) {
            let mail = std::fs::read_to_string(file.path()).unwrap_or_default();
            // long lines are folded, and `=` is written as `=3D`
            let plain = mail.replace("=\r\n", "").replace("=3D", "=");
            if plain.contains(text) {
                return plain;
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no mail says `{text}`");
}

/// Takes one mail as an SMTP server does (RFC 5321 §4.1.1), and hands it over.
fn sink() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (taken, takes) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut answers = stream.try_clone().unwrap();
            let mut say = move |text: &str| answers.write_all(format!("{text}\r\n").as_bytes());
            drop(say("220 sink"));
            let mut mail: Option<String> = None;
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if let Some(text) = &mut mail {
                    if line == "." {
                        drop(taken.send(mail.take().unwrap_or_default()));
                        drop(say("250 taken"));
                    } else {
                        text.push_str(&line);
                        text.push('\n');
                    }
                    continue;
                }
                let answer = match line.get(..4).unwrap_or_default() {
                    "DATA" => {
                        mail = Some(String::new());
                        "354 go on"
                    }
                    "QUIT" => "221 bye",
                    _ => "250 ok",
                };
                drop(say(answer));
            }
        }
    });
    (address, takes)
}

#[test]
fn without_a_server_mail_is_written_into_a_folder_and_a_link_in_it_opens() {
    let (installation, _) = Installation::with("vault");
    administrator(&installation, "vault", "ann@example.com");
    let folder = installation.folder.path().join("mail");
    let path = folder.display().to_string();
    let variables = [("ROLLCALL_MAIL_DIR", path.as_str())];
    let first: Server = installation.serve(&variables);

    let mut command = installation.command(&["token", "create", "--org", "vault"]);
    let token = command.envs(variables).output().unwrap();
    let token = String::from_utf8(token.stdout).unwrap();
    // the command wrote it; the server finds it when it looks next, within a minute
    let mut command = installation.command(&[
        "admin",
        "reset",
        "--org",
        "vault",
        "--email",
        "ann@example.com",
    ]);
    assert!(command.envs(variables).status().unwrap().success());
    drop(first);
    let _server = installation.serve(&variables);

    let told = awaited(&folder, "New provisioning token");
    assert!(told.contains("a command on the server"));
    assert!(!told.contains(token.trim()), "the token is in no mail");
    let link = awaited(&folder, "A new way in to");
    assert!(link.contains("/signin/link?token="));
}

#[test]
fn with_a_server_mail_goes_there_and_waits_while_it_does_not_answer() {
    let (installation, _) = Installation::with("vault");
    let (address, takes) = sink();
    let url = format!("smtp://{address}");
    let variables = [
        ("ROLLCALL_SMTP_URL", url.as_str()),
        ("ROLLCALL_MAIL_FROM", "Rollcall <rollcall@example.com>"),
    ];
    let mut command = installation.command(&[
        "admin",
        "create",
        "--org",
        "vault",
        "--email",
        "ann@example.com",
    ]);
    assert!(command.envs(variables).status().unwrap().success());

    let _server = installation.serve(&variables);

    let mail = takes.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(mail.contains("To: ann@example.com"), "{mail}");
    assert!(mail.contains("Subject: You administer"), "{mail}");
    // a mail in the queue is sealed
    if crate::store::is_a_file() {
        let store = std::fs::read(installation.folder.path().join("rollcall.db")).unwrap();
        assert!(!store.windows(12).any(|bytes| bytes == b"/signin/link"));
    }
}
