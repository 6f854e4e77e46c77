//! Asks for the password once more, and sends the form that was sent along with it.
//!
//! What was typed comes back as hidden fields, except for secrets: those are never written into a page. They are typed once more,
//! beside the password.

use askama::Template;
use rollcall_app::sign_in::Visitor;

use crate::filters;
use crate::form::Form;
use crate::layout::{Bare, Mistakes};

/// The fields of forms that hold a secret, with their labels.
const SECRETS: [(&str, &str); 2] = [("token", "Secret Token"), ("new_password", "New password")];

/// The page: the form that was sent, and a field for the password and for each secret that was sent.
#[derive(Debug, Template)]
#[template(path = "prove.html")]
pub(crate) struct Prove {
    bare: Bare,
    action: String,
    fields: Vec<(String, String)>,
    secrets: Vec<(&'static str, &'static str)>,
    email: String,
    mistakes: Mistakes,
}

/// Makes the page for a form that was sent to `action`.
pub(crate) fn page(action: &str, form: &Form, visitor: &Visitor, mistakes: Mistakes) -> Prove {
    let secrets = asked_again(form);
    let mut fields: Vec<(String, String)> = form.fields().to_vec();
    fields.retain(|(name, _)| {
        let is_own = ["proof_password", "csrf", "again"].contains(&name.as_str());
        !is_own && !secrets.iter().any(|(secret, _)| secret == name)
    });
    let title = if mistakes.is_empty() {
        "Confirm that it is you"
    } else {
        "Error: Confirm that it is you"
    };
    Prove {
        bare: Bare::with_forms(title, form.raw("csrf")),
        action: action.to_owned(),
        fields,
        secrets,
        email: visitor.administrator.email.as_str().to_owned(),
        mistakes,
    }
}

/// Returns the secrets that a form holds, or that were asked for when it came from this page.
fn asked_again(form: &Form) -> Vec<(&'static str, &'static str)> {
    let is_asked = |name| form.filled(name).is_some() || form.all("again").any(|it| it == name);
    SECRETS
        .into_iter()
        .filter(|(name, _)| is_asked(*name))
        .collect()
}

/// Returns which of the secrets are missing: without them, what is done would not be what was meant.
pub(crate) fn missing(form: &Form) -> Mistakes {
    let mut missing = Mistakes::default();
    for (name, label) in asked_again(form) {
        if form.filled(name).is_none() {
            missing.add(name, format!("The {label} is needed once more"));
        }
    }
    missing
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    let page = |secrets: &[(&'static str, &'static str)], mistakes| Prove {
        bare: Bare::with_forms("Confirm that it is you", "token"),
        action: "/settings/integrations/entra/token".to_owned(),
        fields: vec![(
            "expires".to_owned(),
            crate::layout::sample::HOSTILE.to_owned(),
        )],
        secrets: secrets.to_vec(),
        email: "mira.castellan@alderbrook.example".to_owned(),
        mistakes,
    };
    let wrong = Mistakes::one("proof", "this is not your password");
    [
        ("prove", page(&[], Mistakes::default())),
        ("prove-secret", page(&SECRETS[..1], Mistakes::default())),
        ("prove-wrong", page(&SECRETS[..1], wrong)),
    ]
    .into_iter()
    .map(|(name, page)| (name.to_owned(), page.render().unwrap_or_default()))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_asked_for_again_and_never_repeated() {
        let sent = Form::from([("url", "https://x"), ("token", "abc"), ("csrf", "c")]);
        assert_eq!(asked_again(&sent), [("token", "Secret Token")]);

        let without = Form::from([("again", "token"), ("token", " "), ("proof_password", "p")]);
        assert_eq!(
            missing(&without).at("token"),
            Some("The Secret Token is needed once more.")
        );
        let with = Form::from([("again", "token"), ("token", "abc")]);
        assert!(missing(&with).is_empty());
        let unchanged = Form::from([("token", "")]);
        assert!(missing(&unchanged).is_empty());
    }

    #[test]
    fn every_password_field_of_every_form_is_known_here_or_needs_no_proof() {
        for (name, html) in crate::pages::samples() {
            for field in html.split("<input").skip(1) {
                let field = field.split('>').next().unwrap_or_default();
                if !field.contains("type=\"password\"") {
                    continue;
                }
                let of_sign_in = [" name=\"password\"", " name=\"proof_password\""];
                let is_known = SECRETS
                    .iter()
                    .any(|(secret, _)| field.contains(&format!(" name=\"{secret}\"")))
                    || of_sign_in.iter().any(|known| field.contains(known));
                assert!(is_known, "{name}: {field}");
            }
        }
    }
}
