//! What mails say: one template in text and one in HTML, filled by each kind of letter.

use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rollcall_model::letter::Content;
use rollcall_model::{KeyRole, Letter};

/// A mail, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its subject; one line.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The same in HTML.
    pub html: String,
}

/// What every mail is made of.
#[derive(Debug)]
struct Parts {
    subject: String,
    paragraphs: Vec<String>,
    /// What its button says, and where it leads.
    button: Option<(&'static str, String)>,
    /// What is said below, smaller.
    note: String,
}

#[derive(Debug, Template)]
#[template(path = "mail.txt", escape = "none")]
struct Text<'p> {
    organisation: &'p str,
    parts: &'p Parts,
}

#[derive(Debug, Template)]
#[template(path = "mail.html")]
struct Html<'p> {
    organisation: &'p str,
    parts: &'p Parts,
}

/// Writes a letter.
pub fn written(letter: &Letter) -> Mail {
    let mut parts = parts(letter);
    parts.subject = one_line(&parts.subject);
    let organisation = &letter.organisation;
    let text = Text {
        organisation,
        parts: &parts,
    };
    let html = Html {
        organisation,
        parts: &parts,
    };
    Mail {
        text: text.render().unwrap_or_default(),
        html: html.render().unwrap_or_default(),
        subject: parts.subject,
    }
}

/// Makes one line of a text that may come from others.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").chars().take(150).collect()
}

/// Writes an instant in UTC: who reads a mail may be anywhere.
fn at(instant: Timestamp) -> String {
    let time = TimeZone::UTC.to_datetime(instant);
    format!(
        "{:04}-{:02}-{:02}, {:02}:{:02} UTC",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute()
    )
}

#[expect(
    clippy::too_many_lines,
    reason = "a list of letters, one after the other"
)]
fn parts(letter: &Letter) -> Parts {
    let organisation = &letter.organisation;
    match &letter.content {
        Content::Invitation { by, url, until } => Parts {
            subject: format!("You administer {organisation} in Rollcall"),
            paragraphs: vec![
                format!("{by} has made you an administrator of {organisation}."),
                "Choose a password to come in.".to_owned(),
            ],
            button: Some(("Choose a password", url.clone())),
            note: format!("The link works once, until {}. Nobody but you should see it.", at(*until)),
        },
        Content::NewWayIn { by, url, until } => Parts {
            subject: format!("A new way in to {organisation}"),
            paragraphs: vec![
                format!("{by} has replaced your way in to {organisation}: the old password does not work any more, and you were signed out everywhere."),
                "Choose a new password to come in. A second factor stays as it was.".to_owned(),
            ],
            button: Some(("Choose a password", url.clone())),
            note: format!("The link works once, until {}. If this surprises you, ask another owner of {organisation}.", at(*until)),
        },
        Content::Activation { user_name, url, until } => Parts {
            subject: format!("Activate your account at {organisation}"),
            paragraphs: vec![
                format!("{organisation} has made an account for you: {user_name}."),
                "Choose a password to activate it. The password is the key of your vault: it stays in your browser, and nobody can look it up for you.".to_owned(),
            ],
            button: Some(("Activate the account", url.clone())),
            note: format!("The link works once, until {}, and is for you alone. If you did not expect this mail, do nothing: the account stays unused.", at(*until)),
        },
        Content::AddressChanged { user_name, by } => Parts {
            subject: format!("Your address at {organisation} was changed"),
            paragraphs: vec![
                format!("{by} has put another e-mail address, or none, in the place of this one for your account at {organisation}: {user_name}."),
                "You still come in with your password. Nobody is sent a link that opens the account at the new address before an administrator has confirmed it.".to_owned(),
            ],
            button: None,
            note: format!("If this surprises you, tell an administrator of {organisation} at once."),
        },
        Content::Adopts { kind, name, url } => Parts {
            subject: format!("{} takes charge of accounts that were there before", kind.title()),
            paragraphs: vec![
                format!("{} has begun to manage accounts at {organisation} that no directory had managed, first {name}.", kind.title()),
                "From now on it can change, disable and delete them. Their names for signing in and their addresses stayed as they were.".to_owned(),
            ],
            button: Some(("See what it did", url.clone())),
            note: "You get this once a day at most. If it surprises you, stop the token of that directory and release the accounts.".to_owned(),
        },
        Content::SecondFactorRemoved { by } => Parts {
            subject: format!("Your second factor at {organisation} was removed"),
            paragraphs: vec![
                format!("{by} has removed the second factor with which you signed in to {organisation}."),
                "Set up a new one when you sign in next: Admins and security, Your second factor.".to_owned(),
            ],
            button: None,
            note: format!("If this surprises you, change your password and ask another owner of {organisation}."),
        },
        Content::TokenMade { kind, by, url } => Parts {
            subject: format!("New provisioning token for {}", kind.title()),
            paragraphs: vec![
                format!("{by} has created a provisioning token for {} at {organisation}.", kind.title()),
                "Whoever has the token can create, change and disable people there.".to_owned(),
            ],
            button: Some(("See the tokens", url.clone())),
            note: "If this surprises you, stop the token there.".to_owned(),
        },
        Content::CredentialChanged { application, tenant_url, by, url } => Parts {
            subject: format!("The credential for {application} was changed"),
            paragraphs: vec![
                format!("{by} has changed the credential with which {organisation} provisions people into {application}, or its address."),
                format!("They go to {tenant_url} now."),
            ],
            button: Some(("See the application", url.clone())),
            note: "If this surprises you, stop provisioning there.".to_owned(),
        },
        Content::KeyMade { name, role, by, url } => key_made(organisation, (name, *role), by, url),
        Content::KeyExpires { name, at, url } => key_expires(organisation, name, *at, url),
        Content::TokenExpires { kind, at: end, url } => Parts {
            subject: format!("The provisioning token of {} ends soon", kind.title()),
            paragraphs: vec![
                format!("The token with which {} provisions people into {organisation} ends on {}.", kind.title(), at(*end)),
                "From then on nobody is created, changed or disabled from there. Reset the token with an overlap, enter the new one in the directory, and nothing is interrupted.".to_owned(),
            ],
            button: Some(("Reset the token", url.clone())),
            note: "You get this two weeks and three days before.".to_owned(),
        },
        Content::Quarantine { application, message, next_attempt, url } => Parts {
            subject: format!("Provisioning to {application} has stopped"),
            paragraphs: vec![
                format!("Provisioning from {organisation} to {application} has stopped: {message}."),
                match next_attempt {
                    Some(next) => format!("It is tried again at {}, and then less and less often. It goes on by itself as soon as it works; nothing is lost meanwhile.", at(*next)),
                    None => "It goes on when somebody has decided.".to_owned(),
                },
                "Until then, people who leave keep their access there.".to_owned(),
            ],
            button: Some(("See what to do", url.clone())),
            note: format!("You get one mail for each cause, because {application} names this address for notifications."),
        },
        Content::WebhookPaused { webhook, place, message, url } => {
            webhook_paused(organisation, (webhook, place), message, url)
        }
        Content::Held { application, message, url } => Parts {
            subject: format!("{application} would lose many people: please look"),
            paragraphs: vec![
                format!("Provisioning from {organisation} to {application} holds people back: {message}."),
                "Nobody has been disabled or deleted. Look at the list, then bring them back, or let exactly that list go.".to_owned(),
            ],
            button: Some(("Look at the list", url.clone())),
            note: format!("You get one mail for each cause, because {application} names this address for notifications."),
        },
    }
}

fn webhook_paused(
    organisation: &str,
    (webhook, place): (&str, &str),
    message: &str,
    url: &str,
) -> Parts {
    Parts {
        subject: format!("The webhook {webhook} is paused"),
        paragraphs: vec![
            format!(
                "{organisation} told {webhook} ({place}) what happens to people and groups. Now it is paused, because nothing arrives there: {message}."
            ),
            "What happens meanwhile is kept. It is delivered when somebody resumes the webhook."
                .to_owned(),
        ],
        button: Some(("Look at the webhook", url.to_owned())),
        note: format!(
            "You get one mail for each time it is paused. Whoever may change integrations of {organisation} gets it."
        ),
    }
}

/// An API key was made.
fn key_made(organisation: &str, (name, role): (&str, KeyRole), by: &str, url: &str) -> Parts {
    let may = match role {
        KeyRole::Read => "Whoever has the key can read everything there but secrets.",
        KeyRole::Manage => {
            "Whoever has the key can read everything there but secrets, and change people, tokens and applications."
        }
    };
    Parts {
        subject: format!("New API key for {organisation}"),
        paragraphs: vec![
            format!("{by} has made the API key `{name}` at {organisation}."),
            may.to_owned(),
        ],
        button: Some(("See the keys", url.to_owned())),
        note: "If this surprises you, revoke the key there.".to_owned(),
    }
}

/// An API key ends soon.
fn key_expires(organisation: &str, name: &str, end: Timestamp, url: &str) -> Parts {
    Parts {
        subject: format!("An API key of {organisation} ends soon"),
        paragraphs: vec![
            format!("The API key `{name}` of {organisation} ends on {}.", at(end)),
            "From then on the program that uses it is refused. Make a new key, give it to the program, then revoke the old one.".to_owned(),
        ],
        button: Some(("See the keys", url.to_owned())),
        note: "You get this two weeks and three days before.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_model::IntegrationKind;

    use super::*;

    const HOSTILE: &str = "\"><script>alert(1)</script>\r\nBcc: x@example.com";

    fn all(name: &str) -> Vec<Letter> {
        let (by, url) = (
            name.to_owned(),
            "https://rollcall.example/x?token=abc".to_owned(),
        );
        let until = Timestamp::from_second(1_763_500_000).unwrap();
        let message = format!("it refuses the token {name}");
        let (kind, application) = (IntegrationKind::Entra, name.to_owned());
        let contents = [
            Content::Invitation {
                by: by.clone(),
                url: url.clone(),
                until,
            },
            Content::NewWayIn {
                by: by.clone(),
                url: url.clone(),
                until,
            },
            Content::Activation {
                user_name: name.to_owned(),
                url: url.clone(),
                until,
            },
            Content::AddressChanged {
                user_name: name.to_owned(),
                by: by.clone(),
            },
            Content::Adopts {
                kind,
                name: name.to_owned(),
                url: url.clone(),
            },
            Content::SecondFactorRemoved { by: by.clone() },
            Content::TokenMade {
                kind,
                by: by.clone(),
                url: url.clone(),
            },
            Content::CredentialChanged {
                application: application.clone(),
                tenant_url: "https://app.example.com/scim".to_owned(),
                by: by.clone(),
                url: url.clone(),
            },
            Content::KeyMade {
                name: application.clone(),
                role: KeyRole::Manage,
                by,
                url: url.clone(),
            },
            Content::KeyExpires {
                name: application.clone(),
                at: until,
                url: url.clone(),
            },
            Content::TokenExpires {
                kind,
                at: until,
                url: url.clone(),
            },
            Content::Quarantine {
                application: application.clone(),
                message: message.clone(),
                next_attempt: Some(until),
                url: url.clone(),
            },
            Content::WebhookPaused {
                webhook: application.clone(),
                place: application.clone(),
                message: message.clone(),
                url: url.clone(),
            },
            Content::Held {
                application,
                message,
                url,
            },
        ];
        contents
            .into_iter()
            .map(|content| Letter {
                to: "ann@example.com".parse().unwrap(),
                organisation: name.to_owned(),
                content,
            })
            .collect()
    }

    #[test]
    fn every_letter_reads_well() {
        let texts: Vec<String> = all("Alderbrook")
            .iter()
            .map(|letter| {
                let mail = written(letter);
                format!("# {}\n\n{}", mail.subject, mail.text)
            })
            .collect();
        insta::assert_snapshot!(texts.join("\n----\n"));
    }

    #[test]
    fn hostile_names_stay_names() {
        for letter in all(HOSTILE) {
            let mail = written(&letter);
            assert!(!mail.html.contains("<script"), "{}", mail.html);
            assert!(!mail.subject.contains(['\r', '\n']), "{}", mail.subject);
        }
    }

    #[test]
    fn html_says_what_the_text_says() {
        for letter in all("Alderbrook") {
            let mail = written(&letter);
            let first = mail.text.lines().next().unwrap_or_default();
            assert!(!first.is_empty());
            if mail.text.contains("https://") {
                assert!(
                    mail.html
                        .contains("href=\"https://rollcall.example/x?token=abc\""),
                    "{}",
                    mail.html
                );
            }
        }
    }
}
