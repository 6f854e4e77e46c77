//! Asks for the password once more, and sends the form that was sent along with it.

use askama::Template;
use rollcall_app::sign_in::Visitor;

use crate::filters;
use crate::form::Form;
use crate::layout::Bare;

/// The page: the form that was sent, as hidden fields, and a field for the password.
#[derive(Debug, Template)]
#[template(path = "prove.html")]
pub(crate) struct Prove {
    bare: Bare,
    action: String,
    fields: Vec<(String, String)>,
    email: String,
    error: Option<String>,
}

/// Makes the page for a form that was sent to `action`.
pub(crate) fn page(action: &str, form: &Form, visitor: &Visitor, error: Option<String>) -> Prove {
    let mut fields: Vec<(String, String)> = form.fields().to_vec();
    fields.retain(|(name, _)| name != "proof_password" && name != "csrf");
    Prove {
        bare: Bare::with_forms("Confirm that it is you", form.raw("csrf")),
        action: action.to_owned(),
        fields,
        email: visitor.administrator.email.as_str().to_owned(),
        error,
    }
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    let page = |error: Option<&str>| Prove {
        bare: Bare::with_forms("Confirm that it is you", "token"),
        action: "/settings/integrations/entra/token".to_owned(),
        fields: vec![(
            "expires".to_owned(),
            crate::layout::sample::HOSTILE.to_owned(),
        )],
        email: "mira.castellan@alderbrook.example".to_owned(),
        error: error.map(str::to_owned),
    };
    [
        ("prove", page(None)),
        ("prove-wrong", page(Some("this is not your password"))),
    ]
    .into_iter()
    .map(|(name, page)| (name.to_owned(), page.render().unwrap_or_default()))
    .collect()
}
