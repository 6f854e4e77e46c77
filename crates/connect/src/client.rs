//! The one client that talks to the outside.
//!
//! **Is:** https with verified certificates, the guard over the address that is dialled, time-outs, a bound on replies, no
//! redirects, no proxies from the environment. Everything that goes out goes through it; `clippy.toml` forbids another.
//! **Is not:** SCIM; see [`crate::target`].

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Certificate;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use rollcall_model::{Clock, Randomness};
use url::{Host, Url};

use crate::figures::Figures;
use crate::guard::Reach;

/// How long a connection may take to stand.
pub const CONNECT: Duration = Duration::from_secs(5);
/// How long the other end may be silent.
pub const SILENCE: Duration = Duration::from_secs(30);
/// How long a request may take in all.
pub const TOTAL: Duration = Duration::from_mins(1);
/// How long a connection that nobody uses is kept: shorter than servers keep it (60 s is common), so that no request is sent into one that is
/// being closed.
const IDLE: Duration = Duration::from_secs(20);
/// Longest reply, in bytes.
pub const REPLY_BYTES: usize = 8 * 1024 * 1024;

/// The client; cheap to clone, connections are shared.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    reach: Reach,
    figures: Arc<Figures>,
    traceparent: Option<Traceparent>,
}

/// Tells the header `traceparent` (W3C Trace Context) of a request that goes out now; absent: no trace is under way.
pub type Traceparent = fn() -> Option<HeaderValue>;

/// What requests may use beside the network.
#[derive(Clone)]
pub struct Surroundings {
    /// Tells the time: for a `Retry-After` that is a date, and for when something was learned.
    pub clock: Arc<dyn Clock>,
    /// Spreads retries.
    pub randomness: Arc<dyn Randomness>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// A client cannot be made: the machine offers no certificates to trust.
#[derive(Debug, thiserror::Error)]
#[error("no client for outgoing connections: {0}")]
pub struct Unusable(#[source] reqwest::Error);

/// A name that leads to no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name `{0}` cannot be resolved: check its spelling and this server's DNS")]
pub(crate) struct Unresolved(String);

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// What may be called.
    pub reach: Reach,
    /// How long a connection may take to stand.
    pub connect: Duration,
    /// How long the other end may be silent.
    pub silence: Duration,
    /// How long a request may take in all.
    pub total: Duration,
    /// Certificates in PEM of authorities that are trusted besides those of the machine: for targets of the own house.
    pub authorities: Vec<String>,
}

impl Options {
    /// The usual behaviour.
    pub fn of(reach: Reach) -> Self {
        Self {
            reach,
            connect: CONNECT,
            silence: SILENCE,
            total: TOTAL,
            authorities: Vec::new(),
        }
    }
}

/// Why an address cannot be called at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not an address.
    #[error("`{0}` is not a URL: it looks like `https://app.example.com/scim/v2`")]
    NotAUrl(String),
    /// It is not https.
    #[error(
        "`{0}` is not https: credentials and people's data are sent encrypted only (`allow_private_targets` permits http for tests)"
    )]
    NotHttps(String),
    /// It holds a user name or a password.
    #[error("the URL holds a user name or password: put the credential into its own field")]
    Credentials,
    /// It is an address of this machine or of a private network.
    #[error(
        "`{0}` is an address of a private network, which targets may not have unless `allow_private_targets` is set"
    )]
    Private(String),
}

impl Client {
    /// Makes a client that may call what `reach` allows.
    ///
    /// # Errors
    /// [`Unusable`] when the machine has no trusted certificates.
    pub fn new(reach: Reach) -> Result<Self, Unusable> {
        Self::with(&Options::of(reach))
    }

    /// Makes a client that behaves as told.
    ///
    /// # Errors
    /// [`Unusable`] when the machine has no trusted certificates, or one of `authorities` is not a certificate.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that makes a client"
    )]
    pub fn with(options: &Options) -> Result<Self, Unusable> {
        // fails when there is a provider already: then that one is used
        drop(rustls::crypto::ring::default_provider().install_default());
        let reach = options.reach;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("Rollcall/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect)
            .read_timeout(options.silence)
            .timeout(options.total)
            .pool_idle_timeout(IDLE)
            .redirect(Policy::none())
            .no_proxy()
            .https_only(reach == Reach::Public)
            .dns_resolver(Guarded(reach));
        if !options.authorities.is_empty() {
            let authorities = options.authorities.iter();
            let authorities: Result<Vec<Certificate>, _> = authorities
                .map(|pem| Certificate::from_pem(pem.as_bytes()))
                .collect();
            builder = builder.tls_certs_merge(authorities.map_err(Unusable)?);
        }
        let http = builder.build().map_err(Unusable)?;
        Ok(Self {
            http,
            reach,
            figures: Arc::default(),
            traceparent: None,
        })
    }

    /// Returns a client that tells targets which trace a request belongs to.
    #[must_use]
    pub fn traced(self, traceparent: Traceparent) -> Self {
        Self {
            traceparent: Some(traceparent),
            ..self
        }
    }

    /// Returns what was sent, and what came of it.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Reads an address that somebody typed.
    ///
    /// # Errors
    /// [`Refused`], which says what to type instead.
    pub fn address(&self, text: &str) -> Result<Url, Refused> {
        let shown = || text.chars().take(200).collect::<String>();
        let url = Url::parse(text.trim()).map_err(|_| Refused::NotAUrl(shown()))?;
        let host = url.host().ok_or_else(|| Refused::NotAUrl(shown()))?;
        match url.scheme() {
            "https" => {}
            "http" if self.reach == Reach::Anywhere => {}
            "http" => return Err(Refused::NotHttps(shown())),
            _ => return Err(Refused::NotAUrl(shown())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        // a literal address never reaches the resolver
        let literal = match host {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        if literal.is_some_and(|address| !self.reach.allows(address)) {
            return Err(Refused::Private(shown()));
        }
        Ok(url)
    }

    /// Looks a name up; returns those of its addresses that may be called.
    pub(crate) async fn resolve(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let (allowed, others) = lookup(self.reach, name, port)
            .await
            .map_err(|unresolved| unresolved.to_string())?;
        if allowed.is_empty() && !others.is_empty() {
            return Err(Refused::Private(name.to_owned()).to_string());
        }
        Ok(allowed)
    }

    pub(crate) fn request(&self, method: reqwest::Method, url: Url) -> reqwest::RequestBuilder {
        self.http.request(method, url)
    }

    /// Posts a body to a place of the operator's own choice, and returns the status of the answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<u16, reqwest::Error> {
        let request = self.http.post(url).headers(headers).body(body);
        Ok(request.send().await?.status().as_u16())
    }

    /// Returns the header by which a request that goes out now continues a trace.
    pub(crate) fn traceparent(&self) -> Option<HeaderValue> {
        self.traceparent.and_then(|traceparent| traceparent())
    }
}

/// A resolver that hands out only addresses that may be called. It is asked on every new connection, so a name that changes its
/// address in between gains nothing.
struct Guarded(Reach);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let (allowed, others) = lookup(reach, name.as_str(), 0).await?;
            if allowed.is_empty() && !others.is_empty() {
                let refused = Refused::Private(name.as_str().to_owned());
                return Err(Box::new(Arc::new(refused)) as Box<dyn std::error::Error + Send + Sync>);
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Looks a name up; returns the addresses that may be called, and the others.
async fn lookup(
    reach: Reach,
    name: &str,
    port: u16,
) -> Result<(Vec<SocketAddr>, Vec<SocketAddr>), Unresolved> {
    let found = tokio::net::lookup_host((name, port)).await;
    let found = found.map_err(|error| {
        tracing::debug!(name, %error, "a name is not resolved");
        Unresolved(name.to_owned())
    })?;
    Ok(found.partition(|address| reach.allows(address.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_or_refused_with_the_reason() {
        let public = Client::new(Reach::Public).unwrap();
        let anywhere = Client::new(Reach::Anywhere).unwrap();

        assert!(
            public
                .address(" https://app.example.com/scim?aadOptscim062020 ")
                .is_ok()
        );
        assert!(anywhere.address("http://127.0.0.1:8080/scim").is_ok());
        for (text, expected) in [
            (
                "app.example.com",
                Refused::NotAUrl("app.example.com".into()),
            ),
            (
                "ftp://example.com",
                Refused::NotAUrl("ftp://example.com".into()),
            ),
            (
                "http://example.com",
                Refused::NotHttps("http://example.com".into()),
            ),
            ("https://ann:secret@example.com", Refused::Credentials),
            (
                "https://169.254.169.254/",
                Refused::Private("https://169.254.169.254/".into()),
            ),
            ("https://[::1]/", Refused::Private("https://[::1]/".into())),
            // the many spellings of 127.0.0.1
            (
                "https://2130706433/",
                Refused::Private("https://2130706433/".into()),
            ),
            (
                "https://0x7f.1/",
                Refused::Private("https://0x7f.1/".into()),
            ),
        ] {
            assert_eq!(public.address(text), Err(expected), "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_dialled() {
        let client = Client::new(Reach::Public).unwrap();
        let url = client.address("https://localhost/scim").unwrap();

        let error = client
            .request(reqwest::Method::GET, url)
            .send()
            .await
            .unwrap_err();

        assert!(format!("{error:?}").contains("Private"), "{error:?}");
    }
}
