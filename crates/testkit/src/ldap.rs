//! An OpenLDAP server for tests: a tree of its own in a folder of its own, gone with the value.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ldap3::{LdapConnAsync, Mod};

/// What the package is called in which Debian has the server.
pub const PACKAGE: &str = "slapd";
/// Below what everything is.
pub const BASE: &str = "dc=example,dc=com";
/// Who may read everything, and all of it.
pub const READER: &str = "cn=reader,dc=example,dc=com";
/// Who may read everything, and three entries at a time.
pub const LIMITED: &str = "cn=limited,dc=example,dc=com";
/// The password of all of them.
pub const PASSWORD: &str = "s3cr3t-of-tests";
/// Where Debian has the program.
const PROGRAM: &str = "/usr/sbin/slapd";
const ADMINISTRATOR: &str = "cn=admin,dc=example,dc=com";

/// A certificate for `localhost`, its key, and the authority that issued it, in PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
    /// The authority.
    pub authority: String,
}

/// A running directory.
#[derive(Debug)]
pub struct Directory {
    process: Child,
    port: u16,
    secret_port: u16,
}

impl Directory {
    /// Starts a directory in an empty folder; with a certificate it speaks TLS too, and refuses passwords without.
    ///
    /// # Errors
    /// When there is no OpenLDAP, or it does not start.
    pub async fn start(folder: &Path, tls: Option<&Certificate>) -> io::Result<Self> {
        if !Path::new(PROGRAM).exists() {
            let message = format!("there is no {PROGRAM}: install the Debian package `{PACKAGE}`");
            return Err(io::Error::other(message));
        }
        let at = |name: &str| folder.join(name).display().to_string();
        fs::create_dir_all(folder.join("data"))?;
        let mut secrets = String::new();
        if let Some(tls) = tls {
            for (name, text) in [
                ("certificate.pem", &tls.certificate),
                ("key.pem", &tls.key),
                ("authority.pem", &tls.authority),
            ] {
                fs::write(folder.join(name), text)?;
            }
            secrets = format!(
                "TLSCACertificateFile {}\nTLSCertificateFile {}\nTLSCertificateKeyFile {}\nsecurity simple_bind=64\n",
                at("authority.pem"),
                at("certificate.pem"),
                at("key.pem")
            );
        }
        let (data, arguments) = (at("data"), at("arguments"));
        let configuration = format!(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
             include /etc/ldap/schema/nis.schema\ninclude /etc/ldap/schema/inetorgperson.schema\n\
             modulepath /usr/lib/ldap\nmoduleload back_mdb.la\nmoduleload ppolicy.la\nargsfile {arguments}\n{secrets}\
             database mdb\nsuffix {BASE}\nrootdn {ADMINISTRATOR}\nrootpw {PASSWORD}\ndirectory {data}\nsizelimit 3\noverlay ppolicy\n\
             limits dn.exact={READER} size=unlimited\n\
             access to attrs=userPassword by anonymous auth by * none\n\
             access to * by dn.exact={READER} read by dn.exact={LIMITED} read by anonymous auth by * none\n"
        );
        fs::write(folder.join("slapd.conf"), configuration)?;
        let (port, secret_port) = (free_port()?, free_port()?);
        let mut listeners = format!("ldap://127.0.0.1:{port}/");
        if tls.is_some() {
            listeners = format!("{listeners} ldaps://127.0.0.1:{secret_port}/");
        }
        let process = Command::new(PROGRAM)
            .args(["-f", &at("slapd.conf"), "-h", &listeners, "-d", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let directory = Self {
            process,
            port,
            secret_port,
        };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err(io::Error::other("the directory does not start"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if tls.is_none() {
            directory.found().await?;
        }
        Ok(directory)
    }

    /// Returns its address for connections in plain text, or for those that begin with StartTLS.
    pub fn url(&self) -> String {
        format!("ldap://localhost:{}", self.port)
    }

    /// Returns its address for TLS.
    pub fn secret_url(&self) -> String {
        format!("ldaps://localhost:{}", self.secret_port)
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// When the directory refuses it.
    pub async fn add(&self, dn: &str, attributes: &[(&str, &[&str])]) -> io::Result<()> {
        let attributes = attributes.iter().map(|(name, values)| {
            let values: HashSet<&str> = values.iter().copied().collect();
            (*name, values)
        });
        let mut ldap = self.administrator().await?;
        let added = ldap.add(dn, attributes.collect()).await;
        added
            .and_then(ldap3::LdapResult::success)
            .map_err(io::Error::other)?;
        Ok(())
    }

    /// Replaces the values of an attribute of an entry; none takes it away.
    ///
    /// # Errors
    /// When the directory refuses it.
    pub async fn replace(&self, dn: &str, attribute: &str, values: &[&str]) -> io::Result<()> {
        let values: HashSet<&str> = values.iter().copied().collect();
        let mut ldap = self.administrator().await?;
        let changed = ldap.modify(dn, vec![Mod::Replace(attribute, values)]).await;
        changed
            .and_then(ldap3::LdapResult::success)
            .map_err(io::Error::other)?;
        Ok(())
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// When the directory refuses it.
    pub async fn remove(&self, dn: &str) -> io::Result<()> {
        let mut ldap = self.administrator().await?;
        let removed = ldap.delete(dn).await;
        removed
            .and_then(ldap3::LdapResult::success)
            .map_err(io::Error::other)?;
        Ok(())
    }

    /// Gives the tree its root, and those who read it.
    async fn found(&self) -> io::Result<()> {
        let root: &[(&str, &[&str])] = &[
            ("objectClass", &["dcObject", "organization"]),
            ("dc", &["example"]),
            ("o", &["Example"]),
        ];
        self.add(BASE, root).await?;
        for (dn, name) in [(READER, "reader"), (LIMITED, "limited")] {
            let reader: &[(&str, &[&str])] = &[
                (
                    "objectClass",
                    &["organizationalRole", "simpleSecurityObject"],
                ),
                ("cn", &[name]),
                ("userPassword", &[PASSWORD]),
            ];
            self.add(dn, reader).await?;
        }
        Ok(())
    }

    async fn administrator(&self) -> io::Result<ldap3::Ldap> {
        let opened = LdapConnAsync::new(&self.url()).await;
        let (connection, mut ldap) = opened.map_err(io::Error::other)?;
        tokio::spawn(async move { drop(connection.drive().await) });
        let bound = ldap.simple_bind(ADMINISTRATOR, PASSWORD).await;
        bound
            .and_then(ldap3::LdapResult::success)
            .map_err(io::Error::other)?;
        Ok(ldap)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
