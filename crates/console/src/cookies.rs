//! The console's cookies: the session, the mark of a known browser, the visit before a sign-in, and a message for the next page.
//!
//! Over https they carry `__Host-` and `Secure`; an installation that is reached over plain http (on this machine, or behind a network of
//! its own) cannot use those, for browsers refuse them there.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use rollcall_model::Secret;

/// The cookies of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The secret of the session.
    Session,
    /// The mark of a browser in which somebody has signed in before.
    Device,
    /// What the forms before a sign-in are bound to.
    Visit,
    /// A message for the next page.
    Flash,
}

impl Cookie {
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-rollcall_session",
            (Self::Session, false) => "rollcall_session",
            (Self::Device, true) => "__Host-rollcall_device",
            (Self::Device, false) => "rollcall_device",
            (Self::Visit, true) => "__Host-rollcall_visit",
            (Self::Visit, false) => "rollcall_visit",
            (Self::Flash, true) => "__Host-rollcall_flash",
            (Self::Flash, false) => "rollcall_flash",
        }
    }

    /// How long the browser keeps it, in seconds; absent: until it is closed.
    fn lasts(self) -> Option<u32> {
        match self {
            Self::Session | Self::Visit => None,
            Self::Device => Some(365 * 24 * 3600),
            Self::Flash => Some(60),
        }
    }

    /// Reads the cookie from a request.
    pub(crate) fn read(self, headers: &HeaderMap, secure: bool) -> Option<Secret> {
        let name = self.name(secure);
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| Secret::new(value))
    }

    /// Puts the cookie into an answer; absent: takes it out of the browser.
    pub(crate) fn set(self, headers: &mut HeaderMap, secure: bool, value: Option<&str>) {
        let mut text = format!(
            "{}={}; Path=/; HttpOnly; SameSite=Lax",
            self.name(secure),
            value.unwrap_or_default()
        );
        if secure {
            text.push_str("; Secure");
        }
        match (value, self.lasts()) {
            (None, _) => text.push_str("; Max-Age=0"),
            (Some(_), Some(seconds)) => text.extend(["; Max-Age=", &seconds.to_string()]),
            (Some(_), None) => {}
        }
        // every value is made of base64url, digits and dots
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.append(SET_COOKIE, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_https_a_cookie_is_bound_to_the_host_and_never_shown_to_scripts() {
        let mut headers = HeaderMap::new();
        Cookie::Session.set(&mut headers, true, Some("a.b"));
        Cookie::Session.set(&mut headers, false, None);
        let set: Vec<&str> = headers
            .get_all(SET_COOKIE)
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect();
        assert_eq!(
            set,
            [
                "__Host-rollcall_session=a.b; Path=/; HttpOnly; SameSite=Lax; Secure",
                "rollcall_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
            ]
        );
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(
            COOKIE,
            HeaderValue::from_static("a=1; rollcall_session=x.y; b=2"),
        );
        let read = Cookie::Session.read(&headers, false);
        assert_eq!(read, Some(Secret::new("x.y")));
        assert_eq!(Cookie::Session.read(&headers, true), None);
    }
}
