//! Organisations whose webhooks are slow, and one whose webhook is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use rollcall_app::Failure;
use rollcall_app::directory::Context;
use rollcall_app::organisations::NewOrganisation;
use rollcall_app::webhooks::NewWebhook;
use rollcall_model::webhook::Wanted;
use rollcall_model::{Action, Kind, Membership, ResourceId, Summary};
use rollcall_store::NewChange;
use rollcall_testkit::Behaviour;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ends::Ends;

/// How long a slow receiver takes for an answer.
const SLOW: Duration = Duration::from_millis(1_500);
/// So much happens in each organisation with slow receivers: for half a minute, eight at once.
const EVENTS: usize = 160;

async fn organisation(ends: &Ends, slug: &str) -> Context {
    // ids are in order of time
    ends.pass(SignedDuration::from_secs(1));
    let new = NewOrganisation {
        slug: slug.parse().unwrap(),
        name: slug.to_owned(),
        region: None,
        seats: None,
        trial_until: None,
    };
    let made = ends.app.create_organisation(new).await.unwrap();
    ends.app.command_context(made.id)
}

async fn webhook(ends: &Ends, context: &Context, name: String, url: String) {
    let new = NewWebhook {
        name,
        url,
        events: Wanted::All,
    };
    ends.app.add_webhook(context, new).await.unwrap();
}

async fn happens(ends: &Ends, context: &Context, times: usize) {
    let now = ends.app.now();
    let change = NewChange {
        kind: Kind::User,
        id: ResourceId::new(now, &**ends.app.randomness()),
        action: Action::Updated,
        document: None,
        membership: Membership::default(),
        summary: Summary::default(),
    };
    let appended = context.tenant().write::<_, Failure, _>(move |writer| {
        (0..times).try_for_each(|_| Ok(writer.append_change(now, &change)?))
    });
    appended.await.unwrap();
}

/// Answers at `/fast` at once, and tells of it; elsewhere slowly.
async fn receive(mut stream: TcpStream, told: Arc<Notify>) {
    let mut bytes = Vec::new();
    loop {
        let (end, length) = loop {
            let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
            let length = text.lines().find_map(|line| {
                let length = line.strip_prefix("content-length: ")?;
                length.parse::<usize>().ok()
            });
            if let (Some(end), Some(length)) = (text.find("\r\n\r\n"), length)
                && bytes.len() >= end + 4 + length
            {
                break (end, length);
            }
            match stream.read_buf(&mut bytes).await {
                Ok(1..) => {}
                _ => return,
            }
        };
        if bytes.starts_with(b"POST /fast ") {
            told.notify_one();
        } else {
            tokio::time::sleep(SLOW).await;
        }
        bytes.drain(..end + 4 + length);
        if stream
            .write_all(b"HTTP/1.1 204 Said\r\n\r\n")
            .await
            .is_err()
        {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_receivers_of_older_organisations_do_not_keep_another_one_waiting() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let told = Arc::new(Notify::new());
    let heard = Arc::clone(&told);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(receive(stream, Arc::clone(&told)));
        }
    });
    let ends = Ends::new(Behaviour::default()).await;
    for number in 0..4 {
        let context = organisation(&ends, &format!("slow{number}")).await;
        for place in 0..8 {
            let url = format!("{address}/slow/{place}");
            webhook(&ends, &context, format!("w{place}"), url).await;
        }
        happens(&ends, &context, EVENTS).await;
    }
    let last = organisation(&ends, "last").await;
    webhook(&ends, &last, "fast".to_owned(), format!("{address}/fast")).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(rollcall_engine::schedule::run(
        ends.engine.clone(),
        stop.clone(),
    ));
    // all slots are in use
    tokio::time::sleep(SLOW).await;

    happens(&ends, &last, 1).await;
    let begun = Instant::now();
    let waited = tokio::time::timeout(Duration::from_secs(15), heard.notified()).await;

    println!("told after {:?}", begun.elapsed());
    assert!(waited.is_ok());
    stop.cancel();
    running.await.unwrap();
}
