//! What is done with bytes from anywhere: the fuzz target runs it, and a test runs it again on the committed corpus.

use jiff::{SignedDuration, Timestamp};
use rollcall_endpoint::cursor::Cursors;
use rollcall_model::{OrgId, ResourceId};

/// How long a cursor can be used here, in seconds.
const LIFETIME: u64 = 3_600;
const QUERY: &str = "Users?count=2";

/// Only what was sealed for this organisation and this query is opened, and not for ever.
pub(super) fn cursor(data: &[u8]) {
    let cursors = Cursors::new(&[7; 32], LIFETIME);
    let (organisation, other) = (OrgId::from_bytes([1; 16]), OrgId::from_bytes([3; 16]));
    let last = ResourceId::from_bytes([2; 16]);
    let Ok(now) = Timestamp::from_second(1_767_600_000) else {
        return;
    };
    let genuine = cursors.seal(last, organisation, QUERY, now);
    if let Ok(text) = std::str::from_utf8(data) {
        let opened = cursors.open(text, organisation, QUERY, now);
        // the corpus has one of an hour to come, too
        let is_genuine = opened.as_ref().is_ok_and(|opened| *opened == last);
        assert!(opened.is_err() || is_genuine, "{text:?}");
        assert!(is_genuine || text != genuine);
        let bound = cursors.seal(last, organisation, text, now);
        assert_eq!(cursors.open(&bound, organisation, text, now), Ok(last));
        assert!(cursors.open(&bound, other, text, now).is_err(), "{text:?}");
        let elsewhere = cursors.open(&bound, organisation, QUERY, now);
        assert!(elsewhere.is_err() || text == QUERY, "{text:?}");
    }
    let changed = changed(&genuine, data);
    if changed != genuine {
        let opened = cursors.open(&changed, organisation, QUERY, now);
        assert!(opened.is_err(), "{changed:?}");
    }
    let too_late = now.saturating_add(SignedDuration::from_secs(3_601));
    if let Ok(too_late) = too_late {
        assert!(
            cursors
                .open(&genuine, organisation, QUERY, too_late)
                .is_err()
        );
    }
}

/// Puts other letters where the data is not 0.
fn changed(cursor: &str, data: &[u8]) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=";
    let data = data.iter().chain(std::iter::repeat(&0));
    let put = cursor.chars().zip(data).map(|(own, byte)| match byte {
        0 => own,
        byte => letters
            .get(usize::from(*byte) % letters.len())
            .map_or(own, |letter| char::from(*letter)),
    });
    put.collect()
}
