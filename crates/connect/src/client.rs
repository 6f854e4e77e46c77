//! The one client that talks to the outside.
//!
//! **Is:** https with verified certificates, the guard over the address that is dialled, time-outs, a bound on replies, no
//! redirects, no proxies from the environment. Everything that goes out goes through it; `clippy.toml` forbids another.
//! **Is not:** SCIM; see [`crate::target`].

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Certificate;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use rollcall_model::{Clock, Randomness};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use url::Url;

use crate::figures::Figures;
use crate::guard::{DirectoryAddress, Guard, Reach};

pub use crate::guard::Refused;

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
    way: Way,
    connect: Duration,
    /// Who is trusted besides those whom the machine trusts.
    authorities: Arc<[CertificateDer<'static>]>,
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
    /// Where this process listens itself, which nobody needs to call from here.
    pub listeners: Vec<SocketAddr>,
    /// Who looks names up.
    pub names: Arc<dyn Names>,
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
            listeners: Vec::new(),
            names: Arc::new(SystemNames),
            connect: CONNECT,
            silence: SILENCE,
            total: TOTAL,
            authorities: Vec::new(),
        }
    }
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
        let way = Way {
            guard: Arc::new(Guard::new(options.reach.clone(), &options.listeners)),
            names: Arc::clone(&options.names),
        };
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("Rollcall/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect)
            .read_timeout(options.silence)
            .timeout(options.total)
            .pool_idle_timeout(IDLE)
            .redirect(Policy::none())
            .no_proxy()
            .https_only(way.guard.is_https_only())
            .dns_resolver(way.clone());
        if !options.authorities.is_empty() {
            let authorities = options.authorities.iter();
            let authorities: Result<Vec<Certificate>, _> = authorities
                .map(|pem| Certificate::from_pem(pem.as_bytes()))
                .collect();
            builder = builder.tls_certs_merge(authorities.map_err(Unusable)?);
        }
        let http = builder.build().map_err(Unusable)?;
        // what is no certificate was refused just now
        let authorities = options.authorities.iter();
        let authorities =
            authorities.flat_map(|pem| CertificateDer::pem_slice_iter(pem.as_bytes()));
        Ok(Self {
            http,
            way,
            connect: options.connect,
            authorities: authorities.filter_map(Result::ok).collect(),
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
        self.way.guard.address(text)
    }

    /// Reads the address of a directory that somebody typed.
    ///
    /// # Errors
    /// [`Refused`], which says what to type instead.
    pub fn directory(&self, text: &str, starts_tls: bool) -> Result<DirectoryAddress, Refused> {
        self.way.guard.directory(text, starts_tls)
    }

    /// Opens a connection for what is not HTTP, to an address that may be called; says why when there is none.
    pub(crate) async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let mut said =
            format!("`{host}` leads to no address: check its spelling and this server's DNS");
        for address in self.resolve(name, port).await? {
            let dialled = tokio::time::timeout(self.connect, TcpStream::connect(address)).await;
            said = match dialled {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => format!(
                    "`{host}` refuses connections: nothing listens at this address and port ({port}); check both"
                ),
                Ok(Err(error)) => format!("`{host}` cannot be reached: {error}"),
                Err(_) => format!(
                    "`{host}` did not accept a connection in time: check address, port ({port}) and firewall"
                ),
            };
        }
        Err(said)
    }

    /// Returns how connections that are not HTTP are made secret: by the authorities that the machine trusts, and those added to them.
    pub(crate) fn tls(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let authorities = self.authorities.iter().cloned();
        let verifier = Verifier::new_with_extra_roots(authorities, Arc::clone(&provider))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// Looks a name up; returns those of its addresses that may be called.
    pub(crate) async fn resolve(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let resolved = self.way.resolved(name, port).await;
        resolved.map_err(|no_address| match no_address {
            NoAddress::Unresolved(unresolved) => unresolved.to_string(),
            NoAddress::Refused(refused) => refused.to_string(),
        })
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

/// Looks names up.
#[async_trait]
pub trait Names: fmt::Debug + Send + Sync {
    /// Returns the addresses to which a name leads now.
    ///
    /// # Errors
    /// When it leads nowhere, or nobody can tell.
    async fn addresses(&self, name: &str, port: u16) -> std::io::Result<Vec<SocketAddr>>;
}

/// Looks names up as every program of this machine does.
#[derive(Debug)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, name: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }
}

/// Why a name leads to no address that may be called.
enum NoAddress {
    Unresolved(Unresolved),
    Refused(Refused),
}

/// The way from a name to the addresses that may be called. It is gone on every new connection, and what it gives is what is dialled, so a
/// name that changes its address in between gains nothing.
#[derive(Debug, Clone)]
struct Way {
    guard: Arc<Guard>,
    names: Arc<dyn Names>,
}

impl Way {
    async fn resolved(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, NoAddress> {
        let found = self.names.addresses(name, port).await.map_err(|error| {
            tracing::debug!(name, %error, "a name is not resolved");
            NoAddress::Unresolved(Unresolved(name.to_owned()))
        })?;
        let is_empty = found.is_empty();
        let mut allowed = found;
        allowed.retain(|address| self.guard.allows(Some(name), address.ip()));
        if allowed.is_empty() && !is_empty {
            return Err(NoAddress::Refused(Refused::Private(name.to_owned())));
        }
        Ok(allowed)
    }
}

impl Resolve for Way {
    fn resolve(&self, name: Name) -> Resolving {
        let way = self.clone();
        Box::pin(async move {
            match way.resolved(name.as_str(), 0).await {
                Ok(allowed) => Ok(Box::new(allowed.into_iter()) as Addrs),
                Err(NoAddress::Unresolved(unresolved)) => Err(unresolved.into()),
                // in an `Arc`, by which it is found in the chain of causes
                Err(NoAddress::Refused(refused)) => Err(Box::new(Arc::new(refused)) as _),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
