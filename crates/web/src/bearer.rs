//! The secret that a program brings with a request.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use rollcall_model::Secret;

/// Returns the secret of the only `Authorization` header, when its scheme is Bearer (RFC 6750 §2.1; the scheme's name in any
/// case, RFC 9110 §11.1).
pub fn secret(headers: &HeaderMap) -> Option<Secret> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, secret) = value.to_str().ok()?.split_once(' ')?;
    let secret = secret.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty() && !secret.contains(' '))
        .then(|| Secret::new(secret))
}
