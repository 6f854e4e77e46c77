//! The question before something is done to a person or a group that somebody may miss: what happens, what stays, and the way back.

use askama::Template;
use rollcall_model::Kind;

use crate::filters;
use crate::layout::{Frame, Place};
use crate::words::counted;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Disable,
    Release,
    Delete,
    ResetActivation,
    Erase,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) kind: Kind,
    pub(crate) verb: Verb,
    pub(crate) id: String,
    pub(crate) name: String,
    /// Who manages it; absent: nobody.
    pub(crate) source: Option<&'static str>,
    /// How many groups a person is in, or members a group has, as far as they were counted.
    pub(crate) belongs: u64,
}

#[derive(Debug, Template)]
#[template(path = "object_question.html")]
pub(crate) struct QuestionPage {
    frame: Frame,
    list: &'static str,
    list_title: &'static str,
    id: String,
    name: String,
    question: String,
    verb: &'static str,
    action: &'static str,
    consequences: Vec<String>,
    back: &'static str,
}

impl Question {
    /// Returns the title of the page.
    pub(crate) fn title(&self) -> String {
        let name: String = self.name.chars().take(60).collect();
        self.question(&name)
    }

    fn question(&self, name: &str) -> String {
        match self.verb {
            Verb::ResetActivation => format!("Reset the activation of {name}?"),
            Verb::Erase => format!("Erase everything about {name}?"),
            _ => format!("{} {name}?", self.words().0),
        }
    }

    fn words(&self) -> (&'static str, &'static str) {
        match self.verb {
            Verb::Disable => ("Disable", "disable"),
            Verb::Release => ("Release", "release"),
            Verb::Delete => ("Delete", "delete"),
            Verb::ResetActivation => ("Reset activation", "reset-activation"),
            Verb::Erase => ("Erase", "erase"),
        }
    }

    fn consequences(&self) -> Vec<String> {
        let thing = match self.kind {
            Kind::User => "account",
            Kind::Group => "group",
        };
        let mut lines = Vec::new();
        match (self.verb, self.kind) {
            (Verb::Disable, _) => {
                lines.push(
                    "The account stays, with its id, its data and its groups, and frees its seat."
                        .to_owned(),
                );
                lines.push("Every application that it was sent to is told within seconds; what happens there is set there.".to_owned());
                if let Some(source) = self.source {
                    lines.push(format!(
                        "{source} manages it, and enables it again when it sends it as active."
                    ));
                }
            }
            (Verb::Release, _) => {
                let source = self.source.unwrap_or("The directory");
                lines.push(format!(
                    "{source} does not manage the {thing} any more. Nothing else about it changes."
                ));
                lines.push(format!("The next directory that sends or changes the {thing} takes charge of it. That may be {source} again: take it out of the assignment there first if it should not."));
            }
            (Verb::ResetActivation, _) => {
                lines.push("The key of the vault is lost, and with it everything in the vault. Only the old password opens it, and nobody here can bring it back.".to_owned());
                lines.push("The old password does not work any more. The account itself, its data and its groups stay.".to_owned());
                lines.push("A new invitation goes out, with which a new password and a new vault are made.".to_owned());
            }
            (Verb::Erase, _) => {
                lines.push("The account is gone at once, and with it everything that is kept about the person: history, requests, links, logs, mail that waits. Nobody can bring it back.".to_owned());
                lines.push("In the activity log the id stays, without names, details and addresses. The log's chain still verifies.".to_owned());
                lines.push("Backups, and applications that got the person's data, are not touched. An application that still has an account for them stops this: delete the person first, and let it take the account away.".to_owned());
                if let Some(source) = self.source {
                    lines.push(format!("{source} manages the account, and would send it again: release it first, or take it out of the assignment there."));
                }
            }
            (Verb::Delete, Kind::User) => {
                lines.push("The account is gone at once, and with it every attribute. Its history stays in the activity log.".to_owned());
                if self.belongs > 0 {
                    lines.push(format!("It leaves {}.", counted(self.belongs, "group")));
                }
                lines.push("Every application that it was sent to is told; the deletion guard counts it there.".to_owned());
                lines.push(
                    "Whoever comes back through the same directory gets the same id.".to_owned(),
                );
                if let Some(source) = self.source {
                    lines.push(format!("{source} manages it, and may create it again: take it out of the assignment there first."));
                }
            }
            (Verb::Delete, Kind::Group) => {
                lines.push("The group is gone at once. Its members stay; those who were in scope of an application through it alone leave it.".to_owned());
                if let Some(source) = self.source {
                    lines.push(format!("{source} manages it, and may create it again: take it out of the assignment there first."));
                }
            }
        }
        lines
    }

    /// Makes the page.
    pub(crate) fn page(&self, frame: Frame) -> QuestionPage {
        let (verb, action) = self.words();
        let (list, list_title) = match self.kind {
            Kind::User => ("users", "Users"),
            Kind::Group => ("groups", "Groups"),
        };
        let back = match (self.verb, self.kind) {
            (Verb::Disable, _) => "Keep it enabled",
            (Verb::Release, _) => "Leave it managed",
            (Verb::Delete, Kind::User) => "Keep the account",
            (Verb::Delete, Kind::Group) => "Keep the group",
            (Verb::ResetActivation, _) => "Keep the vault",
            (Verb::Erase, _) => "Keep everything",
        };
        QuestionPage {
            frame,
            list,
            list_title,
            id: self.id.clone(),
            name: self.name.clone(),
            question: self.question(&self.name),
            verb,
            action,
            consequences: self.consequences(),
            back,
        }
    }
}
