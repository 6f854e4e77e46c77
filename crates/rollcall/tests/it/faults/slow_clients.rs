//! Clients that never finish a request, thousands of them, beside those who do.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::soak;
use crate::support::Installation;

/// Sends one byte of a request's head after the other, until the server has enough; tells how long that took, and what it said.
async fn drip(host: String) -> (Duration, String) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let head = "POST /scim/v2/vault/Users HTTP/1.1\r\nHost: x\r\nX-Slow: ";
    drop(stream.write_all(head.as_bytes()).await);
    let mut said = Vec::new();
    let mut part = [0; 512];
    loop {
        tokio::select! {
            read = stream.read(&mut part) => match read {
                Ok(0) | Err(_) => break,
                Ok(length) => said.extend_from_slice(&part[..length]),
            },
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                if stream.write_all(b"x").await.is_err() {
                    break;
                }
            }
        }
    }
    (begun.elapsed(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_who_never_finish_a_request_keep_nobody_out() {
    let many = soak::many(2_000, 4_000);
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
    let scim = server.scim("vault", &token);
    let host = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut slow = JoinSet::new();
    for _ in 0..many {
        slow.spawn(drip(host.clone()));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;

    let mut slowest = Duration::ZERO;
    for number in 0..50 {
        let begun = Instant::now();
        scim.person(&format!("person{number}")).await;
        slowest = slowest.max(begun.elapsed());
    }
    let mut longest = Duration::ZERO;
    while let Some(ended) = slow.join_next().await {
        let (time, said) = ended.unwrap();
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 408"),
            "{said}"
        );
        longest = longest.max(time);
    }

    println!(
        "{many} slow clients: the slowest of 50 creations took {slowest:?}, the last slow one was let go after {longest:?}"
    );
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    // the head's time is 10 s; the rest is the machine's
    assert!(longest < Duration::from_secs(40), "{longest:?}");
    scim.get("/Users").await.is(200);
}

/// Bombs: heads and bodies that are too long are refused without being taken in, however many come at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_and_bodies_that_are_too_long_cost_the_server_little() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
    let scim = server.scim("vault", &token);
    let host = server.url.strip_prefix("http://").unwrap().to_owned();
    let resident = || {
        let status = format!("/proc/{}/status", server.process.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u64 = line
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        kib / 1024
    };
    scim.get("/Users").await.is(200);
    let before = resident();
    let head = format!(
        "GET /scim/v2/vault/Users HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(1_000_000)
    );
    let body = format!(
        "POST /scim/v2/vault/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        format!("{:x}\r\n{}\r\n", 1 << 20, "[".repeat(1 << 20)).repeat(8),
    );
    let mut bombs = JoinSet::new();
    for turn in 0..100 {
        let (host, bomb) = (
            host.clone(),
            if turn % 2 == 0 { &head } else { &body }.clone(),
        );
        bombs.spawn(async move {
            let mut stream = TcpStream::connect(host).await.unwrap();
            // the server may have hung up before the end
            drop(stream.write_all(bomb.as_bytes()).await);
            let mut said = Vec::new();
            drop(stream.read_to_end(&mut said).await);
            String::from_utf8_lossy(&said).into_owned()
        });
    }
    let mut told = 0;
    while let Some(said) = bombs.join_next().await {
        let said = said.unwrap();
        let is_refused =
            said.is_empty() || said.starts_with("HTTP/1.1 431") || said.starts_with("HTTP/1.1 413");
        assert!(is_refused, "{said}");
        told += usize::from(!said.is_empty());
    }

    let grown = resident().saturating_sub(before);
    println!("100 bombs of 1 and 8 MiB: {told} were told, the server has {grown} MiB more");
    assert!(told >= 50, "{told}");
    assert!(grown < 256, "{grown} MiB");
    scim.person("ann").await;
}
