//! An endpoint that keeps to the standards but for what a test has it do: it stands before a well-behaved target, and changes requests
//! and answers on their way.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rollcall_check::{Exam, Persona, Report, Ungraded, Verdict, grade};
use rollcall_connect::ask::Question;
use rollcall_connect::client::Client;
use rollcall_connect::guard::Reach;
use rollcall_model::{Kind, Secret};
use rollcall_testkit::{Behaviour, Dialect, TOKEN, Target};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

pub(crate) const MARK: &str = "0123456789abcdef";

/// A request on its way.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// The path below the base.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Value,
    headers: HeaderMap,
}

impl Asked {
    pub(crate) fn is(&self, method: &Method, path: &str) -> bool {
        self.method == *method && self.path == path
    }

    /// Tells whether one resource of a collection is asked for, such as `/Users/7`.
    pub(crate) fn is_one(&self, method: &Method, collection: &str) -> bool {
        self.method == *method && self.path.starts_with(&format!("{collection}/"))
    }
}

/// An answer on its way.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn error(status: u16) -> Self {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": status.to_string(),
        });
        Self {
            status,
            headers: HeaderMap::new(),
            body,
        }
    }
}

/// What becomes of a request.
pub(crate) enum Turn {
    /// The target answers it.
    Pass,
    /// It is answered so, without an effect.
    Answer(Reply),
    /// The target carries it out, and the connection ends without an answer.
    Lost,
    /// The target carries it out, and the connection stays open without an answer.
    Held,
}

type Before = Box<dyn Fn(&mut Asked) -> Turn + Send + Sync>;
type After = Box<dyn Fn(&Asked, &mut Reply) + Send + Sync>;

pub(crate) struct Endpoint {
    pub(crate) target: Target,
    pub(crate) base: Url,
    client: Client,
    serving: tokio::task::JoinHandle<()>,
}

impl Endpoint {
    /// Starts one in which `ann` is.
    pub(crate) async fn start(
        before: impl Fn(&mut Asked) -> Turn + Send + Sync + 'static,
        after: impl Fn(&Asked, &mut Reply) + Send + Sync + 'static,
    ) -> Self {
        Self::speaking(Dialect::default(), before, after).await
    }

    pub(crate) async fn speaking(
        dialect: Dialect,
        before: impl Fn(&mut Asked) -> Turn + Send + Sync + 'static,
        after: impl Fn(&Asked, &mut Reply) + Send + Sync + 'static,
    ) -> Self {
        let target = Target::start(Behaviour::default().with_dialect(dialect));
        let ann =
            json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann"});
        target.insert(Kind::User, ann).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let behind: Url = target.url().parse().unwrap();
        let hooks: (Before, After) = (Box::new(before), Box::new(after));
        let hooks = std::sync::Arc::new(hooks);
        let client = Client::new(Reach::Anywhere).unwrap();
        let forwarding = client.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (hooks, behind) = (hooks.clone(), (forwarding.clone(), behind.clone()));
                tokio::spawn(async move { converse(stream, &behind, (&hooks.0, &hooks.1)).await });
            }
        });
        Self {
            target,
            base: format!("http://{address}/scim").parse().unwrap(),
            client,
            serving,
        }
    }

    pub(crate) fn exam(&self, persona: Persona) -> Exam {
        Exam {
            base: self.base.clone(),
            token: Secret::new(TOKEN),
            persona,
            writes: true,
            mark: MARK.to_owned(),
        }
    }

    pub(crate) async fn graded_as(&self, persona: Persona) -> Result<Report, Ungraded> {
        self.graded_until(persona, std::future::pending).await
    }

    pub(crate) async fn graded_until(
        &self,
        persona: Persona,
        stop: impl AsyncFn(),
    ) -> Result<Report, Ungraded> {
        grade(&self.client, self.exam(persona), stop).await
    }

    pub(crate) async fn graded(&self) -> Report {
        self.graded_as(Persona::Rfc).await.unwrap()
    }

    /// Returns the names of the people and groups that are there, in the order of the alphabet.
    pub(crate) fn names(&self) -> Vec<String> {
        let people = self.target.resources(Kind::User).into_iter();
        let groups = self.target.resources(Kind::Group).into_iter();
        let people = people.map(|one| one["userName"].as_str().unwrap_or_default().to_owned());
        let groups = groups.map(|one| one["displayName"].as_str().unwrap_or_default().to_owned());
        let mut names: Vec<String> = people.chain(groups).collect();
        names.sort();
        names
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Returns what became of a promise.
pub(crate) fn verdict<'r>(report: &'r Report, id: &str) -> &'r Verdict {
    let mut all = report.verdicts.iter();
    all.find(|verdict| verdict.promise.id == id)
        .unwrap_or_else(|| panic!("{id} is not in {report:#?}"))
}

/// Returns what became of a promise, in one line.
pub(crate) fn told(report: &Report, id: &str) -> String {
    let verdict = verdict(report, id);
    let found = verdict.found.as_deref().unwrap_or_default();
    format!("{} {found}", verdict.word).trim_end().to_owned()
}

async fn converse(stream: TcpStream, behind: &(Client, Url), (before, after): (&Before, &After)) {
    let mut stream = BufReader::new(stream);
    let Some(mut asked) = read(&mut stream).await else {
        return;
    };
    let turn = before(&mut asked);
    let is_held = matches!(turn, Turn::Held);
    let mut reply = match turn {
        Turn::Answer(reply) => reply,
        Turn::Pass | Turn::Held => passed(&asked, behind).await,
        Turn::Lost => {
            passed(&asked, behind).await;
            return;
        }
    };
    after(&asked, &mut reply);
    if is_held {
        std::future::pending::<()>().await;
    }
    let body = match &reply.body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let mut head = vec![
        format!("HTTP/1.1 {} Told", reply.status),
        "connection: close".to_owned(),
    ];
    for (name, value) in &reply.headers {
        head.push(format!("{name}: {}", value.to_str().unwrap()));
    }
    if reply.status != 204 {
        head.push(format!("content-length: {}", body.len()));
    }
    let head = head.join("\r\n");
    // a client that has gone needs no answer
    stream
        .write_all(format!("{head}\r\n\r\n{body}").as_bytes())
        .await
        .ok();
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut parts = line.split_whitespace();
    let method = parts.next()?.parse().ok()?;
    let whole = parts.next()?.strip_prefix("/scim")?;
    let (path, query) = whole.split_once('?').unwrap_or((whole, ""));
    let mut headers = HeaderMap::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "host" | "connection" => {}
            name => {
                let name: HeaderName = name.parse().ok()?;
                headers.insert(name, HeaderValue::from_str(value.trim()).ok()?);
            }
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        headers,
    })
}

async fn passed(asked: &Asked, (client, behind): &(Client, Url)) -> Reply {
    let mut url = behind.clone();
    url.set_path(&format!("{}{}", behind.path(), asked.path));
    url.set_query(
        Some(&asked.query)
            .filter(|query| !query.is_empty())
            .map(String::as_str),
    );
    let question = Question {
        method: asked.method.clone(),
        url,
        headers: asked.headers.clone(),
        body: Some(&asked.body)
            .filter(|body| !body.is_null())
            .map(Value::to_string),
    };
    let answer = client.ask(question).await.unwrap();
    let mut headers = answer.headers;
    for name in ["content-length", "connection", "transfer-encoding"] {
        headers.remove(name);
    }
    Reply {
        status: answer.status,
        headers,
        body: serde_json::from_slice(&answer.body).unwrap_or_default(),
    }
}
