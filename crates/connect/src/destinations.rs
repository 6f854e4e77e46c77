//! Destinations that the operator allows although they are not on the public internet: hosts, addresses, networks.
//!
//! **Is:** the list as the configuration writes it, and who is on it. **Is not:** the judgement; that is [`crate::guard`].
//! **Start at** [`Destinations`].

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::Host;

use crate::guard::plain;

/// A list of destinations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destinations(Vec<Destination>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Destination {
    /// Exactly this name, wherever it leads; in the form in which URLs hold it.
    Name(String),
    /// Addresses that begin with the same bits.
    Network { address: IpAddr, length: u8 },
}

/// Why a text names no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoDestination {
    /// It is none of what may be listed.
    #[error(
        "`{0}` is neither a host such as app.internal, nor an address, nor a network such as 10.20.0.0/16"
    )]
    Unknown(String),
    /// It is an address with bits behind those that count.
    #[error("`{0}` has bits behind the length: write the first address of the network")]
    Inexact(String),
    /// It has a star.
    #[error("`{0}` has a star: list each host by its name, or the network in which they are")]
    Star(String),
}

impl Destinations {
    /// Tells whether a name is listed.
    pub fn has_name(&self, name: &str) -> bool {
        let name = bare(name);
        self.0.iter().any(
            |one| matches!(one, Destination::Name(listed) if listed.eq_ignore_ascii_case(name)),
        )
    }

    /// Tells whether an address is in a network that is listed, in whatever form it is written.
    pub fn has_address(&self, address: IpAddr) -> bool {
        let forms = [address, plain(address)];
        self.0.iter().any(|one| match one {
            Destination::Name(_) => false,
            Destination::Network {
                address: begin,
                length,
            } => forms
                .iter()
                .any(|form| head(*form, *length) == head(*begin, *length)),
        })
    }
}

impl FromStr for Destinations {
    type Err = NoDestination;

    /// Reads destinations with commas in between.
    fn from_str(text: &str) -> Result<Self, NoDestination> {
        let parts = text.split(',').map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Destinations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, destination) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str(",")?;
            }
            match destination {
                Destination::Name(name) => f.write_str(name)?,
                Destination::Network { address, length } => write!(f, "{address}/{length}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Destination {
    type Err = NoDestination;

    fn from_str(text: &str) -> Result<Self, NoDestination> {
        let unknown = || NoDestination::Unknown(text.chars().take(200).collect());
        if text.contains('*') {
            return Err(NoDestination::Star(text.chars().take(200).collect()));
        }
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let unbracketed = address
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let Ok(address) = unbracketed.unwrap_or(address).parse::<IpAddr>() else {
            // what the URL parser takes for an address in an unusual spelling is somebody's mistake
            return match Host::parse(text) {
                Ok(Host::Domain(name)) if length.is_none() && is_name(bare(&name)) => {
                    Ok(Self::Name(bare(&name).to_owned()))
                }
                _ => Err(unknown()),
            };
        };
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let length: u8 = match length {
            Some(length) => length.parse().map_err(|_| unknown())?,
            None => whole,
        };
        if length > whole {
            return Err(unknown());
        }
        if head(address, length) != head(address, whole) {
            return Err(NoDestination::Inexact(text.to_owned()));
        }
        Ok(Self::Network { address, length })
    }
}

/// Returns the first bits of an address, the rest as zeroes, with the width of its family.
fn head(address: IpAddr, length: u8) -> (u8, u128) {
    let (width, bits) = match address {
        IpAddr::V4(address) => (32, u128::from(address.to_bits())),
        IpAddr::V6(address) => (128, address.to_bits()),
    };
    let rest = u32::from(width).saturating_sub(u32::from(length));
    let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
    (width, bits & mask)
}

/// Tells whether every part of a name has letters.
fn is_name(name: &str) -> bool {
    name.split('.').all(|part| !part.is_empty())
}

/// A name with the root's dot behind it is the same name.
fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Destinations {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_has_what_it_names_and_nothing_beside_it() {
        let list = list("10.20.0.0/16, 192.168.7.9, fd00:1::/32, App.Internal, bücher.example");

        for address in [
            "10.20.0.1",
            "10.20.255.255",
            "192.168.7.9",
            "fd00:1:2::3",
            "::ffff:10.20.3.4",
        ] {
            assert!(list.has_address(address.parse().unwrap()), "{address}");
        }
        for address in [
            "10.21.0.1",
            "192.168.7.8",
            "fd00:2::1",
            "127.0.0.1",
            "::ffff:10.21.0.1",
            "a14:1::",
        ] {
            assert!(!list.has_address(address.parse().unwrap()), "{address}");
        }
        for name in ["app.internal", "APP.INTERNAL.", "xn--bcher-kva.example"] {
            assert!(list.has_name(name), "{name}");
        }
        for name in ["internal", "x.app.internal", "app.internal.evil.example"] {
            assert!(!list.has_name(name), "{name}");
        }
    }

    #[test]
    fn every_address_is_in_the_network_of_no_bits_of_its_family() {
        let all = list("0.0.0.0/0");

        assert!(all.has_address("203.0.113.9".parse().unwrap()));
        assert!(!all.has_address("fd00::1".parse().unwrap()));
    }

    #[test]
    fn what_cannot_be_listed_is_refused_with_what_to_write() {
        for (text, expected) in [
            ("10.0.0.1/8", "first address"),
            ("10.0.0.0/33", "neither"),
            ("10.0.0.0/x", "neither"),
            ("app.internal/16", "neither"),
            ("https://app.internal", "neither"),
            ("app.internal:8443", "neither"),
            ("*.internal", "list each host"),
            ("10.1", "neither"),
            ("0x7f.1", "neither"),
            (".", "neither"),
            ("app..", "neither"),
            (".internal", "neither"),
        ] {
            let error = text.parse::<Destinations>().unwrap_err().to_string();

            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_list_is_written_as_it_is_read() {
        let text = "10.20.0.0/16,192.168.7.9/32,fd00:1::/32,app.internal";

        assert_eq!(list(text).to_string(), text);
        assert_eq!(list("").to_string(), "");
    }
}
