//! Where a PostgreSQL database is, and what is wrong when it cannot be reached.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;

/// How long connecting may take, and how long a silent network is believed in.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an application stays with a node that says nothing more, unless the address says otherwise.
const LEASE: Duration = Duration::from_secs(15);

/// The address of a PostgreSQL database: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or `postgresql://…`. It shows itself without
/// the password.
///
/// `?host=/run/postgresql` names a socket in place of a host. `sslmode` is `require`, `prefer` or `disable`: without it a connection is
/// encrypted unless it stays on this machine. Certificates and host names are always verified, with the platform's authorities and those
/// in the file that `sslrootcert` names. `lease` is for how many seconds a node that stands still keeps an application.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    config: Config,
    authorities: Option<PathBuf>,
    lease: Duration,
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // a question mark before the `@` belongs to the password
        let host = text.find('@').unwrap_or_default();
        let mut authorities = None;
        let mut mode = None;
        let mut lease = LEASE;
        let (place, options) = text
            .get(host..)
            .and_then(|rest| rest.find('?'))
            .and_then(|at| text.split_at_checked(host + at))
            .unwrap_or((text, ""));
        let options = options.strip_prefix('?').unwrap_or_default();
        let mut others = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in url::form_urlencoded::parse(options.as_bytes()) {
            match &*name {
                "sslrootcert" => authorities = Some(PathBuf::from(&*value)),
                "sslmode" => mode = Some(ssl_mode(&value)?),
                "lease" => lease = seconds(&value)?,
                _ => drop(others.append_pair(&name, &value)),
            }
        }
        // the parser of the client knows percent signs, not pluses
        let others = others.finish().replace('+', "%20");
        let mut config: Config =
            format!("{place}?{others}")
                .parse()
                .map_err(|error: tokio_postgres::Error| {
                    let reason = std::error::Error::source(&error).map(ToString::to_string);
                    Error::Address(reason.unwrap_or_else(|| error.to_string()))
                })?;
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(Error::Address("it names no database".into()));
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(Error::Address(
                "it names no host: for a socket of this machine add `?host=/run/postgresql`".into(),
            ));
        }
        let mode = mode.unwrap_or(if stays_here(&config) {
            SslMode::Disable
        } else {
            SslMode::Require
        });
        config.ssl_mode(mode);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(PATIENCE);
        }
        config.keepalives_idle(PATIENCE);
        if config.get_application_name().is_none() {
            config.application_name("rollcall");
        }
        Ok(Self {
            config,
            authorities,
            lease,
        })
    }
}

/// Tells whether a connection stays on this machine.
fn stays_here(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }) && config
        .get_hostaddrs()
        .iter()
        .all(std::net::IpAddr::is_loopback)
}

fn ssl_mode(text: &str) -> Result<SslMode, Error> {
    match text {
        "disable" => Ok(SslMode::Disable),
        "prefer" => Ok(SslMode::Prefer),
        // certificates are verified in full whatever it is called
        "require" | "verify-ca" | "verify-full" => Ok(SslMode::Require),
        _ => Err(Error::Address(
            "`sslmode` is `require`, `prefer` or `disable`".into(),
        )),
    }
}

fn seconds(text: &str) -> Result<Duration, Error> {
    match text.parse() {
        Ok(seconds @ 1..=3_600) => Ok(Duration::from_secs(seconds)),
        _ => Err(Error::Address(
            "`lease` is a number of seconds from 1 to 3600".into(),
        )),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.config.get_ports();
        let mut socket = None;
        for (n, host) in self.config.get_hosts().iter().enumerate() {
            match host {
                Host::Tcp(name) => {
                    let name = if name.contains(':') {
                        format!("[{name}]")
                    } else {
                        name.clone()
                    };
                    write!(f, "{}{name}", if n == 0 { "" } else { "," })?;
                    if let Some(port) = ports.get(n).or(ports.first()) {
                        write!(f, ":{port}")?;
                    }
                }
                #[cfg(unix)]
                Host::Unix(path) => socket = Some(path),
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())?;
        if let Some(socket) = socket {
            write!(f, "?host={}", socket.display())?;
            if let Some(port) = ports.first() {
                write!(f, "&port={port}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Address {
    /// Returns how to connect, with settings that every session shares.
    pub(super) fn config(&self, settings: &str) -> Config {
        let mut config = self.config.clone();
        // ours come last: what the address says may not take durability back
        let own = config.get_options().unwrap_or_default();
        let options = format!("{own} {settings}");
        config.options(options.trim());
        config
    }

    /// Returns how long an application stays with a node that says nothing more.
    pub(super) fn lease(&self) -> Duration {
        self.lease
    }

    /// Returns what makes connections secret; absent: nothing is asked to.
    pub(super) fn tls(&self) -> Result<Option<MakeRustlsConnect>, Error> {
        if self.config.get_ssl_mode() == SslMode::Disable {
            return Ok(None);
        }
        let authorities = match &self.authorities {
            Some(file) => certificates(file)?,
            None => Vec::new(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let unusable = |error: rustls::Error| Error::Unreachable(Box::new(error));
        let verifier =
            Verifier::new_with_extra_roots(authorities, Arc::clone(&provider)).map_err(unusable)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Some(MakeRustlsConnect::new(config)))
    }

    /// Says what to do about a connection that did not come to be.
    pub(super) fn explain(&self, error: tokio_postgres::Error) -> Error {
        let user = self
            .config
            .get_user()
            .unwrap_or("the operating system's user");
        let database = self.config.get_dbname().unwrap_or_default();
        let message = match error.code() {
            Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
                format!(
                    "{self} does not let `{user}` in: check user and password in the address of the store, and pg_hba.conf"
                )
            }
            Some(&SqlState::INVALID_CATALOG_NAME) => format!(
                "{self}: there is no database `{database}`: create it, for example with `createdb --owner={user} {database}`"
            ),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => format!(
                "{self}: `{user}` may not do what a store needs: make it the owner of the database `{database}`"
            ),
            Some(&SqlState::TOO_MANY_CONNECTIONS) => {
                format!("{self} has no connection left: raise its `max_connections`")
            }
            Some(_) => format!("{self} refuses the connection"),
            None if is_about_tls(&error) => format!(
                "{self}: no encrypted connection comes about: let the server offer TLS with a certificate for its name, name \
                 its authority with `sslrootcert=FILE`, or say `sslmode=disable` where the network can be trusted"
            ),
            None if is_about_passwords(&error) => {
                format!("{self} wants a password of `{user}`: put it into the address of the store")
            }
            None => format!("{self} does not answer: see to it that PostgreSQL runs there"),
        };
        Error::Unreachable(Box::new(Unusable {
            message,
            source: error,
        }))
    }
}

/// A database that cannot be used, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Unusable {
    message: String,
    source: tokio_postgres::Error,
}

// the client keeps the kind of its errors to itself: the beginnings of its texts tell them apart
fn is_about_tls(error: &tokio_postgres::Error) -> bool {
    error.to_string().contains("TLS")
}

fn is_about_passwords(error: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(|source| source.to_string().contains("password"))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |reason: &dyn fmt::Display| {
        Error::Address(format!(
            "`sslrootcert={}` is no file of certificates (PEM): {reason}",
            file.display()
        ))
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| wrong(&error))?;
    if certificates.is_empty() {
        return Err(wrong(&"there is none in it"));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_shows_itself_without_its_password() {
        for (text, shown) in [
            (
                "postgres://rollcall:s3cr3t@db.example/rc",
                "postgres://rollcall@db.example:5432/rc",
            ),
            (
                "postgresql://rollcall:s3c?r3t@[2001:db8::1]:6432/rc?sslmode=disable",
                "postgres://rollcall@[2001:db8::1]:6432/rc",
            ),
            (
                "postgres://rollcall@/rc?host=/run/postgresql&password=s3cr3t&port=6432",
                "postgres://rollcall@/rc?host=/run/postgresql&port=6432",
            ),
            (
                "postgres://rollcall:s3cr3t@a,b:6432/rc",
                "postgres://rollcall@a:5432,b:6432/rc",
            ),
        ] {
            let address = address(text);
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), shown);
            assert_eq!(
                address.config.get_password().is_some(),
                text.contains("s3c")
            );
        }
    }

    #[test]
    fn a_connection_is_encrypted_unless_it_stays_here_or_is_told_not_to() {
        for (text, mode) in [
            ("postgres://a@db.example/rc", SslMode::Require),
            ("postgres://a@localhost,db.example/rc", SslMode::Require),
            (
                "postgres://a@db.example/rc?sslmode=disable",
                SslMode::Disable,
            ),
            ("postgres://a@db.example/rc?sslmode=prefer", SslMode::Prefer),
            (
                "postgres://a@db.example/rc?sslmode=verify-full",
                SslMode::Require,
            ),
            ("postgres://a@localhost/rc", SslMode::Disable),
            ("postgres://a@127.0.0.1/rc", SslMode::Disable),
            ("postgres://a@[::1]/rc?sslmode=require", SslMode::Require),
            ("postgres:///rc?host=/run/postgresql", SslMode::Disable),
        ] {
            assert_eq!(address(text).config.get_ssl_mode(), mode, "{text}");
        }
    }

    #[test]
    fn a_wrong_address_is_refused_without_repeating_it() {
        for (text, reason) in [
            ("postgres://a:s3cr3t@h", "names no database"),
            ("postgres://a:s3cr3t@/rc", "names no host"),
            ("postgres://a:s3cr3t@h/rc?sslmode=maybe", "`sslmode`"),
            ("postgres://a:s3cr3t@h/rc?lease=0", "`lease`"),
            ("postgres://a:s3cr3t@h:port/rc", "port"),
            ("postgres://a:s3cr3t@h/rc?colour=s3cr3t", "colour"),
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(matches!(error, Error::Address(_)), "{error:?}");
            assert!(error.to_string().contains(reason), "{error}");
            assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
        }
    }
}
