//! Whose address counts, where proxies stand in between.
//!
//! A proxy says in a header for whom it asks: `X-Forwarded-For`, or `Forwarded` (RFC 7239). Anybody can write these headers, so they are
//! read only when the connection comes from a proxy that the configuration names, and from the right: each proxy adds the address that
//! it sees, and the first one that is no trusted proxy's is the client's. What stands left of it is the client's own word.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;
use http::header::FORWARDED;

/// The proxies whose word is taken. None at first: then such headers are not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Network>);

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    /// How many bits count.
    length: u8,
}

/// Why a text names no proxies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address nor a network such as 10.0.0.0/8 or fd00::/8")]
pub struct NoNetwork(String);

impl FromStr for Proxies {
    type Err = NoNetwork;

    /// Reads addresses and networks, with commas in between.
    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let parts = text.split(',').map(str::trim);
        parts
            .filter(|part| !part.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl std::fmt::Display for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let networks = self.0.iter();
        let shown: Vec<String> = networks
            .map(|Network { address, length }| format!("{address}/{length}"))
            .collect();
        f.write_str(&shown.join(","))
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let refused = || NoNetwork(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) => length.parse().map_err(|_| refused())?,
            None => most,
        };
        let network = Self { address, length };
        // 10.1.2.3/8 is somebody's mistake
        let (bits, rest) = (network.bits(address), u32::from(most - length.min(most)));
        let has_rest = rest > 0 && bits.is_some_and(|bits| bits << (128 - rest) != 0);
        if length > most || has_rest {
            return Err(refused());
        }
        Ok(network)
    }
}

impl Network {
    /// Returns an address as a number; absent: it is of the other family.
    fn bits(&self, address: IpAddr) -> Option<u128> {
        match (self.address, address) {
            (IpAddr::V4(_), IpAddr::V4(address)) => Some(u128::from(address.to_bits())),
            (IpAddr::V6(_), IpAddr::V6(address)) => Some(address.to_bits()),
            _ => None,
        }
    }

    fn has(&self, address: IpAddr) -> bool {
        let width: u32 = if self.address.is_ipv4() { 32 } else { 128 };
        let rest = width.saturating_sub(u32::from(self.length));
        let head = |bits: u128| bits.checked_shr(rest).unwrap_or(0);
        let own = self.bits(self.address).map(head);
        self.bits(address).map(head) == own
    }
}

impl Proxies {
    /// Returns the address that a request comes from, when the connection comes from `peer`.
    ///
    /// Two headers that contradict each other are nobody's word: some proxies write the one and hand on whatever the client wrote into
    /// the other. Then the address of the proxy counts.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let for_whom = |name: &str, read: fn(&str) -> Option<IpAddr>| {
            let mut hops = headers.get_all(name).iter().peekable();
            hops.peek()?;
            let lines: Option<Vec<&str>> = hops.map(|value| value.to_str().ok()).collect();
            let lines = lines.unwrap_or_default().join(",");
            let mut nearest = peer;
            for hop in lines.rsplit(',').map(str::trim) {
                match read(hop) {
                    Some(address) if self.trusts(address) => nearest = address,
                    Some(address) => return Some(address),
                    // it says that it does not know, or does not say it well
                    None => break,
                }
            }
            Some(nearest)
        };
        let plain = for_whom("x-forwarded-for", address);
        let standard = for_whom(FORWARDED.as_str(), forwarded);
        match (plain, standard) {
            (Some(one), Some(other)) if one != other => peer,
            (Some(one), _) | (None, Some(one)) => one,
            (None, None) => peer,
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }
}

/// Reads an address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare.parse::<IpAddr>();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    address
        .or_else(|_| with_port())
        .ok()
        .map(|address| address.to_canonical())
}

/// Reads the `for` of an element of `Forwarded` (RFC 7239 §4).
fn forwarded(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    let (_, value) = named.next()?;
    address(value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_a_trusted_proxy_says_for_whom_it_asks_and_only_the_rightmost_stranger_counts() {
        let proxies: Proxies = "10.0.0.0/8, 192.0.2.7, fd00::/8".parse().unwrap();
        for (peer, lines, expected) in [
            (
                "203.0.113.9",
                vec![("x-forwarded-for", "198.51.100.1")],
                "203.0.113.9",
            ),
            ("10.1.2.3", vec![], "10.1.2.3"),
            (
                "10.1.2.3",
                vec![("x-forwarded-for", "198.51.100.1")],
                "198.51.100.1",
            ),
            (
                "::ffff:10.1.2.3",
                vec![("x-forwarded-for", "198.51.100.1")],
                "198.51.100.1",
            ),
            // the client wrote the first one
            (
                "10.1.2.3",
                vec![("x-forwarded-for", "1.1.1.1, 198.51.100.1, 192.0.2.7")],
                "198.51.100.1",
            ),
            (
                "10.1.2.3",
                vec![
                    ("x-forwarded-for", "1.1.1.1"),
                    ("x-forwarded-for", "198.51.100.1"),
                ],
                "198.51.100.1",
            ),
            (
                "fd00::1",
                vec![("x-forwarded-for", "2001:db8::5")],
                "2001:db8::5",
            ),
            (
                "10.1.2.3",
                vec![("x-forwarded-for", "198.51.100.1:4711")],
                "198.51.100.1",
            ),
            // all of them are proxies: the farthest
            (
                "10.1.2.3",
                vec![("x-forwarded-for", "10.9.9.9, 10.8.8.8")],
                "10.9.9.9",
            ),
            // behind what nobody can read there is nothing to believe
            (
                "10.1.2.3",
                vec![("x-forwarded-for", "198.51.100.1, unknown, 10.8.8.8")],
                "10.8.8.8",
            ),
            ("10.1.2.3", vec![("x-forwarded-for", "")], "10.1.2.3"),
            (
                "10.1.2.3",
                vec![(
                    "forwarded",
                    "for=1.1.1.1, For=\"[2001:db8::5]:80\";proto=https;by=10.8.8.8",
                )],
                "2001:db8::5",
            ),
            ("10.1.2.3", vec![("forwarded", "for=_hidden")], "10.1.2.3"),
            ("10.1.2.3", vec![("forwarded", "proto=https")], "10.1.2.3"),
            // a proxy that writes the one hands on the other
            (
                "10.1.2.3",
                vec![
                    ("forwarded", "for=1.1.1.1"),
                    ("x-forwarded-for", "198.51.100.1"),
                ],
                "10.1.2.3",
            ),
            (
                "10.1.2.3",
                vec![
                    ("forwarded", "for=198.51.100.1"),
                    ("x-forwarded-for", "198.51.100.1"),
                ],
                "198.51.100.1",
            ),
        ] {
            let found = proxies.client(peer.parse().unwrap(), &headers(&lines));
            assert_eq!(found.to_string(), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn without_configuration_no_header_is_looked_at() {
        let lines = headers(&[
            ("x-forwarded-for", "198.51.100.1"),
            ("forwarded", "for=198.51.100.1"),
        ]);
        let peer = IpAddr::from([127, 0, 0, 1]);

        assert_eq!(Proxies::default().client(peer, &lines), peer);
    }

    #[test]
    fn a_network_is_written_as_it_is_read_and_nonsense_is_refused() {
        for good in [
            "10.0.0.0/8",
            "127.0.0.1/32",
            "::1/128",
            "0.0.0.0/0",
            "::/0",
            "fd00::/8,10.0.0.0/8",
        ] {
            let read: Proxies = good.parse().unwrap();
            assert_eq!(read.to_string(), good);
        }
        assert_eq!(
            "127.0.0.1".parse::<Proxies>().unwrap().to_string(),
            "127.0.0.1/32"
        );
        assert_eq!("".parse::<Proxies>().unwrap(), Proxies::default());
        for bad in [
            "10.0.0.0/33",
            "10.1.2.3/8",
            "::1/129",
            "proxy",
            "10.0.0.0/",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(bad.parse::<Proxies>(), Err(NoNetwork(bad.to_owned())));
        }
        assert!(
            "0.0.0.0/0"
                .parse::<Proxies>()
                .unwrap()
                .trusts([8, 8, 8, 8].into())
        );
        assert!(
            !"0.0.0.0/0"
                .parse::<Proxies>()
                .unwrap()
                .trusts("::1".parse().unwrap())
        );
    }
}
