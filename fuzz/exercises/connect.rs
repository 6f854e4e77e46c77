//! What is done with bytes from anywhere: the fuzz targets run it, and the tests run it again on the committed corpora.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rollcall_connect::destinations::Destinations;
use rollcall_connect::files;
use rollcall_connect::guard::{Guard, Reach, is_public};
use rollcall_model::Kind;
use rollcall_scim::limits::STANDARD;
use rollcall_scim::schema::Registry;

/// An address is refused, or may be called by every spelling of it; a list of destinations likewise.
pub(super) fn guard(data: &[u8]) {
    addresses(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(listed) = text.parse::<Destinations>() {
        let written = listed.to_string();
        assert_eq!(
            written.parse(),
            Ok(listed),
            "{text:?} is written as {written:?}"
        );
    }
    let public = Guard::new(Reach::Public, &[]);
    if let Ok(url) = public.address(text) {
        assert_eq!(url.scheme(), "https", "{text:?}");
        assert!(
            url.username().is_empty() && url.password().is_none(),
            "{text:?}"
        );
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        assert!(!host.is_empty(), "{text:?}");
        // what the system's resolver would take for an address is judged as one
        if let Ok(address) = host.parse::<IpAddr>() {
            assert!(is_public(address), "{text:?}");
        }
        assert_eq!(public.address(url.as_str()), Ok(url), "{text:?}");
    }
    let Ok(listed) = "10.20.0.0/16,app.internal".parse() else {
        return;
    };
    if let Ok(url) = Guard::new(Reach::Besides(listed), &[]).address(text)
        && url.scheme() == "http"
    {
        let host = url.host_str().unwrap_or_default();
        let is_listed = ["app.internal", "app.internal."].contains(&host);
        assert!(is_listed || host.starts_with("10.20."), "{text:?}");
    }
}

/// Whoever is not public, is not public in the clothes of IPv6 either.
fn addresses(data: &[u8]) {
    let Some(four) = data.first_chunk::<4>() else {
        return;
    };
    let four = Ipv4Addr::from(*four);
    let of_four = is_public(four.into());
    assert!(!of_four || !(four.is_private() || four.is_loopback() || four.is_link_local()));
    let [a, b, c, d] = four.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low);
    assert_eq!(is_public(four.to_ipv6_mapped().into()), of_four, "{four}");
    assert_eq!(is_public(translated.into()), of_four, "{four}");
    if let Some(six) = data.first_chunk::<16>() {
        let six = Ipv6Addr::from(*six);
        let is_inside = six.is_loopback()
            || six.is_unspecified()
            || six.is_multicast()
            || six.is_unique_local()
            || six.is_unicast_link_local()
            || six.segments().starts_with(&[0x64, 0xff9b, 1]);
        assert!(!is_inside || !is_public(six.into()), "{six}");
    }
}

/// A list is refused with mistakes that can be found, or its records are found on its lines in their order.
pub(super) fn csv(data: &[u8]) {
    let registry = Registry::standard();
    let lines = data.split(|byte| *byte == b'\n').count() as u64;
    for kind in [Kind::User, Kind::Group] {
        match files::read(kind, &registry, data, &STANDARD) {
            Ok(records) => {
                let mut before = 1;
                for record in records {
                    assert!((before..=lines).contains(&record.line), "{record:?}");
                    assert!(record.body.is_object(), "{record:?}");
                    before = record.line;
                }
            }
            Err(mistakes) => {
                assert!(!mistakes.is_empty());
                for mistake in mistakes {
                    let has_place = (1..=lines).contains(&mistake.line);
                    assert!(has_place && !mistake.reason.is_empty(), "{mistake:?}");
                }
            }
        }
    }
}
