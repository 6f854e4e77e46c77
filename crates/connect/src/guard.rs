//! Which addresses may be called.
//!
//! An administrator types the address of a target, and the server calls it from inside its own network. Without a guard, that is
//! a way to ask the server's neighbours: its metadata service, its database, itself. The guard looks at the address that is
//! actually dialled, after names were resolved, on every connection anew.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of the public internet, by https.
    Public,
    /// Any address, also by http: for tests, demonstrations and targets in the own network.
    Anywhere,
}

impl Reach {
    /// Tells whether an address may be called.
    pub fn allows(self, address: IpAddr) -> bool {
        self == Self::Anywhere || is_public(address)
    }
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

/// Returns the IPv4 address inside an IPv6 address that stands for it: mapped, compatible, translated (NAT64).
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [head @ .., high, low] = address.segments();
    let is_mapped = head == [0, 0, 0, 0, 0, 0xffff];
    let is_compatible = head == [0; 6];
    let is_translated = head.starts_with(&[0x0064, 0xff9b]);
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
    fn who_may_go_anywhere_may_call_this_machine() {
        let here = "127.0.0.1".parse().unwrap();

        assert!(Reach::Anywhere.allows(here));
        assert!(!Reach::Public.allows(here));
    }
}
