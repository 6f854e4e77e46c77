//! Which addresses may be called.
//!
//! An administrator types the address of a target, and the server calls it from inside its own network. Without a guard, that is
//! a way to ask the server's neighbours: its metadata service, its database, itself. The guard looks at the address that is
//! actually dialled, after names were resolved, on every connection anew.
//!
//! **Start at** [`Guard`]; what the operator allows besides is in [`crate::destinations`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use url::{Host, Url};

use crate::destinations::Destinations;

/// What may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of the public internet, by https.
    Public,
    /// Those, and what the operator lists; what is listed also by http.
    Besides(Destinations),
    /// Any address, also by http: for tests and demonstrations.
    Anywhere,
}

/// Judges what is about to be called.
#[derive(Debug, Clone)]
pub struct Guard {
    reach: Reach,
    /// Addresses at which this process listens.
    own: Vec<IpAddr>,
    /// Whether it listens at every address of this machine.
    owns_all: bool,
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
    /// It is not the address of a directory.
    #[error(
        "`{0}` is not the URL of a directory: it looks like `ldaps://ldap.example.com`, with nothing behind it"
    )]
    NotADirectory(String),
    /// It is a directory's, and passwords would cross the network in plain text.
    #[error(
        "`{0}` is not encrypted: use `ldaps://`, or `ldap://` with `starttls = true` (`allow_private_targets` permits plain connections for tests)"
    )]
    NotSecret(String),
    /// It holds a user name or a password.
    #[error("the URL holds a user name or password: put the credential into its own field")]
    Credentials,
    /// It is an address of this machine or of a private network.
    #[error(
        "`{0}` is an address of this server or of a private network, which targets may not have unless `allow_private_targets` allows it"
    )]
    Private(String),
}

impl Refused {
    /// Says the same of an address that is shown like this: where all of it is not for everybody's eyes.
    #[must_use]
    pub fn about(self, shown: String) -> Self {
        match self {
            Self::NotAUrl(_) => Self::NotAUrl(shown),
            Self::NotHttps(_) => Self::NotHttps(shown),
            Self::Private(_) => Self::Private(shown),
            Self::NotADirectory(_) => Self::NotADirectory(shown),
            Self::NotSecret(_) => Self::NotSecret(shown),
            Self::Credentials => Self::Credentials,
        }
    }
}

impl Guard {
    /// Makes a guard. `listeners` are the addresses at which this process listens: calling them would go round the proxy in front. An
    /// unspecified one (`0.0.0.0`, `::`) stands for all addresses of this machine.
    pub fn new(reach: Reach, listeners: &[SocketAddr]) -> Self {
        let own: Vec<IpAddr> = listeners.iter().map(|one| plain(one.ip())).collect();
        Self {
            reach,
            owns_all: own.iter().any(IpAddr::is_unspecified),
            own,
        }
    }

    /// Tells whether nothing at all may be called by http.
    pub(crate) fn is_https_only(&self) -> bool {
        self.reach == Reach::Public
    }

    /// Tells whether an address may be dialled, to which this name led; absent: it was written as an address.
    pub fn allows(&self, name: Option<&str>, address: IpAddr) -> bool {
        match &self.reach {
            Reach::Anywhere => true,
            Reach::Besides(listed)
                if listed.has_address(address)
                    || name.is_some_and(|name| listed.has_name(name)) =>
            {
                true
            }
            Reach::Public | Reach::Besides(_) => is_public(address) && !self.is_own(address),
        }
    }

    fn is_own(&self, address: IpAddr) -> bool {
        let address = plain(address);
        self.own.contains(&address) || (self.owns_all && is_of_this_machine(address))
    }

    /// Tells whether a host may be called by http.
    fn permits_http(&self, host: &Host<&str>) -> bool {
        match (&self.reach, literal(host), host) {
            (Reach::Anywhere, ..) => true,
            (Reach::Besides(listed), Some(address), _) => listed.has_address(address),
            // a name that leads into a listed network may lead elsewhere tomorrow
            (Reach::Besides(listed), None, Host::Domain(name)) => listed.has_name(name),
            _ => false,
        }
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
            "http" if self.permits_http(&host) => {}
            "http" => return Err(Refused::NotHttps(shown())),
            _ => return Err(Refused::NotAUrl(shown())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        // a literal address never reaches the resolver
        if literal(&host).is_some_and(|address| !self.allows(None, address)) {
            return Err(Refused::Private(shown()));
        }
        Ok(url)
    }

    /// Reads the address of a directory that somebody typed. It is judged as one for http would be: what StartTLS makes secret is.
    ///
    /// # Errors
    /// [`Refused`], which says what to type instead.
    pub fn directory(&self, text: &str, starts_tls: bool) -> Result<DirectoryAddress, Refused> {
        let text = text.trim();
        let shown = || text.chars().take(200).collect::<String>();
        let unlike = || Refused::NotADirectory(shown());
        let (scheme, rest) = text.split_once("://").ok_or_else(unlike)?;
        let is_ldaps = scheme.eq_ignore_ascii_case("ldaps");
        if !is_ldaps && !scheme.eq_ignore_ascii_case("ldap") {
            return Err(unlike());
        }
        let starts_tls = starts_tls && !is_ldaps;
        let like = if is_ldaps || starts_tls {
            "https"
        } else {
            "http"
        };
        let url = self.address(&format!("{like}://{rest}"));
        let url = url.map_err(|refused| match refused {
            Refused::NotHttps(_) => Refused::NotSecret(shown()),
            Refused::NotAUrl(_) => unlike(),
            other => other.about(shown()),
        })?;
        let host = url
            .host_str()
            .filter(|_| url.path() == "/" && url.query().is_none());
        Ok(DirectoryAddress {
            is_ldaps,
            starts_tls,
            port: url.port().unwrap_or(if is_ldaps { 636 } else { 389 }),
            host: host.ok_or_else(unlike)?.to_owned(),
        })
    }
}

/// Where a directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryAddress {
    /// Whether TLS is spoken from the first byte on.
    pub is_ldaps: bool,
    /// Whether the connection is made secret before anything else is said.
    pub starts_tls: bool,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for DirectoryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_ldaps { "ldaps" } else { "ldap" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

fn literal(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
        Host::Domain(_) => None,
    }
}

/// Tells whether this machine itself answers at an address: the way there begins at the address. Nothing is sent; interfaces that come
/// and go are seen.
fn is_of_this_machine(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let way = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    way.is_ok_and(|from| from.ip() == address)
}

/// Tells whether an address belongs to the public internet (the registries of RFC 6890, with the forms by which an IPv6 address
/// carries an IPv4 address).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match carried(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        // shared by carriers (RFC 6598)
        || (a == 100 && (64..128).contains(&b))
        // protocol assignments, 6to4 relays, benchmarks
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240;
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // only 2000::/3 is given out for the internet; within it, some blocks are not
    let is_global = first & 0xe000 == 0x2000;
    let is_special = match first {
        0x2001 => second < 0x0200 || second == 0x0db8,
        0x2002 | 0x3fff => true,
        _ => false,
    };
    is_global && !is_special
}

/// Returns the IPv4 address for which an address stands, if it does, and else the address itself.
pub(crate) fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => carried(six).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Returns the IPv4 address inside an IPv6 address that stands for it: mapped, compatible, translated by the well-known prefix of NAT64
/// (RFC 6052 §2.1). In the prefix for local use (RFC 8215) and in prefixes of one's own it may stand elsewhere (RFC 6052 §2.2): the former
/// is no address of the internet as it is, the latter cannot be told from others.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [head @ .., high, low] = address.segments();
    let is_mapped = head == [0, 0, 0, 0, 0, 0xffff];
    // `::` and `::1` are addresses of their own
    let is_compatible = head == [0; 6] && high != 0;
    let is_translated = head == [0x0064, 0xff9b, 0, 0, 0, 0];
    let inner = Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    (is_mapped || is_compatible || is_translated).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for (address, expected) in [
            ("1.1.1.1", true),
            ("52.96.0.1", true),
            ("2606:4700::1111", true),
            ("2a00:1450:4001::1", true),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("127.0.0.1", false),
            ("127.9.9.9", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.32.0.1", true),
            ("192.0.0.8", false),
            ("192.168.1.1", false),
            ("198.18.0.1", false),
            ("203.0.113.9", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:1.1.1.1", true),
            ("::127.0.0.1", false),
            ("64:ff9b::10.0.0.1", false),
            ("64:ff9b::1.1.1.1", true),
            // the prefix for local use: 10.0.0.1 with a public address behind it (RFC 6052 §2.2), and others
            ("64:ff9b:1:a00:0:100:101:101", false),
            ("64:ff9b:1::1.1.1.1", false),
            ("64:ff9b:1:ffff::1", false),
            ("64:ff9b:0:1::1.1.1.1", false),
            ("2002:7f00:1::", false),
            ("2001:db8::1", false),
            ("2001::1", false),
            ("fc00::1", false),
            ("fd12::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn what_is_refused_can_be_shown_in_part() {
        let refused = guard(Reach::Public)
            .address("http://hooks.example.com/secret")
            .unwrap_err();

        let said = refused
            .about("http://hooks.example.com".to_owned())
            .to_string();

        assert!(
            said.contains("is not https") && !said.contains("secret"),
            "{said}"
        );
    }

    fn guard(reach: Reach) -> Guard {
        Guard::new(reach, &[])
    }

    #[test]
    fn who_may_go_anywhere_may_call_this_machine() {
        let here = "127.0.0.1".parse().unwrap();

        assert!(guard(Reach::Anywhere).allows(None, here));
        assert!(!guard(Reach::Public).allows(None, here));
    }

    #[test]
    fn an_address_is_read_or_refused_with_the_reason() {
        let public = guard(Reach::Public);
        let anywhere = guard(Reach::Anywhere);

        assert!(
            public
                .address(" https://app.example.com/scim?aadOptscim062020 ")
                .is_ok()
        );
        assert!(anywhere.address("http://127.0.0.1:8080/scim").is_ok());
        let private = |text: &str| Refused::Private(text.to_owned());
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
                private("https://169.254.169.254/"),
            ),
            ("https://[::1]/", private("https://[::1]/")),
            (
                "https://[64:ff9b:1::a]/",
                private("https://[64:ff9b:1::a]/"),
            ),
            // the many spellings of 127.0.0.1
            ("https://2130706433/", private("https://2130706433/")),
            ("https://0x7f.1/", private("https://0x7f.1/")),
        ] {
            assert_eq!(public.address(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_directory_is_reached_in_secret_or_where_plain_text_is_permitted() {
        let (public, listed) = (
            guard(Reach::Public),
            guard(Reach::Besides("ldap.internal".parse().unwrap())),
        );

        let ldaps = public
            .directory(" LDAPS://ldap.example.com ", true)
            .unwrap();
        assert_eq!(ldaps.to_string(), "ldaps://ldap.example.com:636");
        assert!(!ldaps.starts_tls);
        let started = public
            .directory("ldap://ldap.example.com:1389/", true)
            .unwrap();
        assert_eq!(started.to_string(), "ldap://ldap.example.com:1389");
        assert!(listed.directory("ldap://ldap.internal", false).is_ok());
        let shown = |text: &str| text.to_owned();
        for (text, starts_tls, expected) in [
            (
                "ldap://a.example.com",
                false,
                Refused::NotSecret(shown("ldap://a.example.com")),
            ),
            (
                "ldaps://10.0.0.7",
                false,
                Refused::Private(shown("ldaps://10.0.0.7")),
            ),
            (
                "ldap://127.0.0.1",
                true,
                Refused::Private(shown("ldap://127.0.0.1")),
            ),
            (
                "https://a.example.com",
                true,
                Refused::NotADirectory(shown("https://a.example.com")),
            ),
            (
                "ldaps://a.example.com/dc=x",
                true,
                Refused::NotADirectory(shown("ldaps://a.example.com/dc=x")),
            ),
            ("ldaps://cn:pw@a.example.com", true, Refused::Credentials),
            (
                "a.example.com",
                true,
                Refused::NotADirectory(shown("a.example.com")),
            ),
        ] {
            assert_eq!(public.directory(text, starts_tls), Err(expected), "{text}");
        }
    }

    #[test]
    fn what_is_listed_may_be_called_also_by_http_and_nothing_beside_it() {
        let listed = guard(Reach::Besides("10.20.0.0/16,app.internal".parse().unwrap()));

        for text in [
            "http://10.20.3.4:8080/scim",
            "https://10.20.3.4/scim",
            "http://app.internal/scim",
            "https://app.internal/scim",
            "https://other.example.com/scim",
        ] {
            assert!(listed.address(text).is_ok(), "{text}");
        }
        for (text, is_about_http) in [
            ("http://10.21.0.1/", true),
            ("https://10.21.0.1/", false),
            ("http://other.internal/", true),
            ("http://127.0.0.1/", true),
            ("https://127.0.0.1/", false),
        ] {
            let refused = listed.address(text).unwrap_err();

            let is_expected = matches!(refused, Refused::NotHttps(_)) == is_about_http;
            assert!(is_expected, "{text}: {refused}");
        }
    }

    #[test]
    fn a_name_leads_inside_only_when_it_or_the_place_is_listed() {
        let listed = guard(Reach::Besides("10.20.0.0/16,app.internal".parse().unwrap()));
        let leads = |name, address: &str| listed.allows(Some(name), address.parse().unwrap());

        assert!(leads("app.internal", "10.99.0.1"));
        assert!(leads("other.internal", "10.20.0.1"));
        assert!(leads("other.internal", "::ffff:10.20.0.1"));
        assert!(!leads("other.internal", "10.99.0.1"));
        assert!(!leads("app.internal.example.com", "10.99.0.1"));
        assert!(leads("www.example.com", "1.1.1.1"));
    }

    #[test]
    fn where_this_server_listens_it_is_not_called_unless_that_is_listed() {
        let listeners = ["52.96.0.1:8080".parse().unwrap()];
        let of = |reach| Guard::new(reach, &listeners);
        let own = "52.96.0.1".parse().unwrap();

        assert!(!of(Reach::Public).allows(Some("www.example.com"), own));
        assert!(!of(Reach::Public).allows(None, "::ffff:52.96.0.1".parse().unwrap()));
        assert!(of(Reach::Public).address("https://52.96.0.1/").is_err());
        assert!(of(Reach::Public).allows(None, "52.96.0.2".parse().unwrap()));
        assert!(of(Reach::Besides("52.96.0.1".parse().unwrap())).allows(None, own));
        assert!(of(Reach::Anywhere).allows(None, own));
    }

    #[test]
    fn a_server_that_listens_everywhere_knows_the_addresses_of_its_machine() {
        let everywhere = Guard::new(Reach::Public, &["0.0.0.0:8080".parse().unwrap()]);

        assert!(everywhere.is_own("127.0.0.1".parse().unwrap()));
        assert!(!everywhere.is_own("192.0.2.7".parse().unwrap()));
        assert!(!guard(Reach::Public).is_own("127.0.0.1".parse().unwrap()));
    }
}
