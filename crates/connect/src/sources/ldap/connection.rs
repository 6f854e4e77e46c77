//! A connection to a directory: dialled by our own client, so that the guard sees the address, and kept within bounds of time and size.

use std::sync::Arc;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{
    LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchEntry, StdStream,
};
use rollcall_model::Secret;
use tokio::task::JoinSet;
use url::Url;

use super::entry::Entry;
use crate::client::{CONNECT, Client, SILENCE};
use crate::guard::DirectoryAddress;
use crate::reply::{explain_tls, tls_inside};
use crate::sources::Unread;

/// So many entries are asked for at a time; Active Directory gives a thousand at most.
const PAGE: i32 = 500;
/// More entries than this are not read.
const MOST: usize = 1_000_000;
/// Longest text of the directory's own words that is passed on, in characters.
const WORDS: usize = 300;

const LATER: &str = "it is tried again; if it stays so, check the address and the network";

/// A connection to a directory.
pub(super) struct Connection {
    ldap: ldap3::Ldap,
    address: DirectoryAddress,
    /// Reads what arrives; ends with the connection.
    _driver: JoinSet<()>,
}

/// Where is looked, for what, and which attributes are wanted.
pub(super) type Search<'s> = (&'s str, &'s str, Vec<String>);

impl Connection {
    pub(super) async fn open(client: &Client, address: &DirectoryAddress) -> Result<Self, Unread> {
        let unreached = |message: String| Unread::out_of_reach(message, LATER);
        let stream = client.dial(&address.host, address.port).await;
        let stream = stream.map_err(unreached)?;
        let failed = |error: LdapError| unreached(broken(&error, address));
        let stream = stream.into_std().map_err(|error| failed(error.into()))?;
        let tls = client
            .tls()
            .map_err(|error| unreached(explain_tls(&error, &address.host)))?;
        let settings = LdapConnSettings::new()
            .set_std_stream(StdStream::Tcp(stream))
            .set_conn_timeout(CONNECT)
            .set_starttls(address.starts_tls)
            .set_config(Arc::clone(&tls));
        let url = Url::parse(&address.to_string()).map_err(|error| failed(error.into()))?;
        let (connection, ldap) = LdapConnAsync::from_url_with_settings(settings, &url)
            .await
            .map_err(|error| match error {
                LdapError::LdapResult { result } => refused(&result, address, "StartTLS"),
                error => failed(error),
            })?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "the connection to a directory broke");
            }
        });
        Ok(Self {
            ldap,
            address: address.clone(),
            _driver: driver,
        })
    }

    /// Says who reads; nobody in particular when that is not said.
    pub(super) async fn bind(&mut self, who: Option<&(String, Secret)>) -> Result<(), Unread> {
        let Some((name, password)) = who else {
            return Ok(());
        };
        let bound = self
            .ldap
            .with_timeout(SILENCE)
            .simple_bind(name, password.expose());
        let result = bound.await.map_err(|error| self.failed(&error))?;
        match result.rc {
            0 => Ok(()),
            _ => Err(refused(&result, &self.address, "the name and password")),
        }
    }

    /// Reads all that a search finds; adds why that may not be all.
    pub(super) async fn search(
        &mut self,
        (base, filter, attributes): Search<'_>,
        reasons: &mut Vec<String>,
    ) -> Result<Vec<Entry>, Unread> {
        let adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> = vec![
            // what other servers have is theirs
            Box::new(EntriesOnly::new()),
            Box::new(PagedResults::new(PAGE)),
        ];
        let found = self.ldap.with_timeout(SILENCE).streaming_search_with(
            adapters,
            base,
            Scope::Subtree,
            filter,
            attributes,
        );
        let mut found = found.await.map_err(|error| self.failed(&error))?;
        let mut entries = Vec::new();
        while let Some(entry) = found.next().await.map_err(|error| self.failed(&error))? {
            entries.push(Entry::of(SearchEntry::construct(entry)));
            if entries.len() > MOST {
                return Err(Unread::wrong(
                    format!("there are more than {MOST} entries below `{base}`"),
                    "a source of this size is not supported: narrow `base`, `users` or `groups`",
                ));
            }
        }
        let result = found.finish().await;
        match result.rc {
            0 => {}
            3 | 4 | 11 => reasons.push(format!(
                "{} gave {} entries and stopped at its own limit{}: let whoever reads have all (in OpenLDAP, `limits`)",
                self.address,
                entries.len(),
                words(&result)
            )),
            _ => return Err(refused(&result, &self.address, &format!("reading `{base}`"))),
        }
        for entry in &mut entries {
            self.complete(entry).await?;
        }
        Ok(entries)
    }

    /// Reads the rest of values that a directory shows a part at a time.
    async fn complete(&mut self, entry: &mut Entry) -> Result<(), Unread> {
        while let Some((name, next)) = entry.partial.pop() {
            let wanted = vec![format!("{name};range={next}-*")];
            let found = self.ldap.with_timeout(SILENCE).search(
                &entry.dn,
                Scope::Base,
                "(objectClass=*)",
                wanted,
            );
            let found = found.await.map_err(|error| self.failed(&error))?;
            if found.1.rc != 0 {
                let what = format!("reading `{}`", entry.dn);
                return Err(refused(&found.1, &self.address, &what));
            }
            for more in found.0 {
                let more = SearchEntry::construct(more);
                for (description, values) in more.attrs {
                    let values = values.into_iter().map(String::into_bytes).collect();
                    entry.take(&description, values);
                }
            }
            let mut further = entry.partial.iter();
            if further.any(|(other, further)| *other == name && *further <= next) {
                return Err(Unread::wrong(
                    format!(
                        "{} shows the same part of `{name}` of `{}` again",
                        self.address, entry.dn
                    ),
                    "ask whoever runs the directory",
                ));
            }
        }
        Ok(())
    }

    /// Takes leave.
    pub(super) async fn close(mut self) {
        if let Err(error) = self.ldap.unbind().await {
            tracing::debug!(%error, "a directory did not take leave");
        }
    }

    fn failed(&self, error: &LdapError) -> Unread {
        Unread::out_of_reach(broken(error, &self.address), LATER)
    }
}

/// Says why there is no answer.
fn broken(error: &LdapError, address: &DirectoryAddress) -> String {
    match error {
        LdapError::Io { source } => match tls_inside(source) {
            Some(tls) => explain_tls(tls, &address.host),
            None => format!("the connection to {address} broke off: {source}"),
        },
        LdapError::Rustls { source } => explain_tls(source, &address.host),
        LdapError::Timeout { .. } => format!(
            "{address} took the connection and did not answer in time: check the port, and look there whether it is overloaded"
        ),
        LdapError::EndOfStream | LdapError::ResultRecv { .. } | LdapError::OpSend { .. } => {
            format!("the connection to {address} broke off before the answer was complete")
        }
        other => format!("{address}: {other}"),
    }
}

/// Puts a refusal into words (RFC 4511 Appendix A).
fn refused(result: &LdapResult, address: &DirectoryAddress, what: &str) -> Unread {
    let said = words(result);
    let (message, help) = match result.rc {
        49 => (
            format!("{address} does not take {what} (49){said}"),
            "check `bind` and `password`",
        ),
        8 | 13 => (
            format!(
                "{address} refuses {what} over a connection that is not secret ({}){said}",
                result.rc
            ),
            "use `ldaps://`, or add `starttls = true`",
        ),
        32 => (
            format!("{address} has nothing there: {what} (32){said}"),
            "check `base`; a directory also says so to whoever may not see it",
        ),
        50 => (
            format!("{address} does not permit {what} (50){said}"),
            "give whoever reads the right to, or set `bind` and `password`",
        ),
        1 | 48 => (
            format!(
                "{address} wants to know first who reads ({}){said}",
                result.rc
            ),
            "set `bind` and `password`",
        ),
        10 => (
            format!("{address} says that another server has it: {what} (10){said}"),
            "enter the address of that server, or another `base`",
        ),
        34 => (
            format!("{address} does not understand the name (34): {what}{said}"),
            "a name looks like `dc=example,dc=com`",
        ),
        51 | 52 => {
            let message = format!(
                "{address} is busy or closed at present ({}){said}",
                result.rc
            );
            return Unread::out_of_reach(message, LATER);
        }
        code => (
            format!("{address} refuses {what} ({code}){said}"),
            "ask whoever runs the directory",
        ),
    };
    Unread::wrong(message, help)
}

fn words(result: &LdapResult) -> String {
    let text: String = result
        .text
        .chars()
        .filter(|c| !c.is_control())
        .take(WORDS)
        .collect();
    if text.is_empty() {
        return text;
    }
    format!(": {text}")
}
