//! What Rollcall writes to people by mail.
//!
//! **Is:** what a mail says, as facts. **Is not:** its words, which are `rollcall-mail`'s, or its way.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Email, IntegrationKind, KeyRole};

/// A mail on its way to one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// To whom.
    pub to: Email,
    /// The organisation in whose name it is written.
    pub organisation: String,
    /// What it says.
    pub content: Content,
}

/// What a mail says. Addresses (`url`) are those of pages of the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum Content {
    /// They may administer the organisation now.
    Invitation {
        /// Who invited them.
        by: String,
        /// The page that lets them in once: a secret.
        url: String,
        /// Until when it works.
        until: Timestamp,
    },
    /// Their way in was replaced.
    NewWayIn {
        /// Who did it.
        by: String,
        /// The page that lets them in once: a secret.
        url: String,
        /// Until when it works.
        until: Timestamp,
    },
    /// They have an account, and are to activate it.
    Activation {
        /// The userName of the account.
        user_name: String,
        /// The page on which they do it, once: a secret.
        url: String,
        /// Until when it works.
        until: Timestamp,
    },
    /// Another address is on record for the account that they activated.
    AddressChanged {
        /// The userName of the account.
        user_name: String,
        /// Who changed it.
        by: String,
    },
    /// Their second factor was removed.
    SecondFactorRemoved {
        /// Who did it.
        by: String,
    },
    /// A provisioning token was created or reset.
    TokenMade {
        /// For which integration.
        kind: IntegrationKind,
        /// Who did it.
        by: String,
        /// The page of the integration.
        url: String,
    },
    /// The credential for an application was changed, or where it goes.
    CredentialChanged {
        /// The application's name.
        application: String,
        /// Where it lives now.
        tenant_url: String,
        /// Who did it.
        by: String,
        /// The application's page.
        url: String,
    },
    /// An API key was made.
    KeyMade {
        /// What it is called.
        name: String,
        /// What it may do.
        role: KeyRole,
        /// Who did it.
        by: String,
        /// The page with the keys.
        url: String,
    },
    /// An API key ends soon.
    KeyExpires {
        /// What it is called.
        name: String,
        /// When.
        at: Timestamp,
        /// The page with the keys.
        url: String,
    },
    /// A directory has begun to take charge of accounts that were there before it.
    Adopts {
        /// Which one.
        kind: IntegrationKind,
        /// The first account.
        name: String,
        /// The page with all that it did.
        url: String,
    },
    /// A provisioning token ends soon.
    TokenExpires {
        /// Of which integration.
        kind: IntegrationKind,
        /// When.
        at: Timestamp,
        /// The page where it is reset.
        url: String,
    },
    /// An application's provisioning has stopped.
    Quarantine {
        /// The application.
        application: String,
        /// The cause, for people.
        message: String,
        /// When it is tried again; absent: when somebody decides.
        next_attempt: Option<Timestamp>,
        /// The page of the application.
        url: String,
    },
    /// An endpoint is told nothing any more.
    WebhookPaused {
        /// What people call it.
        webhook: String,
        /// Its host, and nothing that may be a secret.
        place: String,
        /// What came of the last try.
        message: String,
        /// The page where it is resumed.
        url: String,
    },
    /// The deletion guard holds people back.
    Held {
        /// The application.
        application: String,
        /// What the guard said.
        message: String,
        /// The page where it is decided.
        url: String,
    },
}
