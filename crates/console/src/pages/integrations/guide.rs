//! The set-up guide of each directory, with the values filled in. A step is done when its traffic has arrived, or that of a later one.

use rollcall_model::IntegrationKind;
use rollcall_model::integration::Seen;

use crate::words::{Moment, Zone};

/// One step.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) title: &'static str,
    pub(crate) text: String,
    pub(crate) state: State,
    /// When its traffic arrived.
    pub(crate) seen: Option<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Done,
    Now,
    Later,
}

impl State {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Now => "now",
            Self::Later => "",
        }
    }
}

/// What shows that a step was done.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// There is a token.
    Token,
    /// Nothing of its own.
    Later,
    Connected,
    LookedUp,
    Created,
    Changed,
    Grouped,
}

/// Returns the steps of a directory.
pub(crate) fn steps(
    kind: IntegrationKind,
    url: &str,
    has_token: bool,
    seen: Seen,
    zone: &Zone,
) -> Vec<Step> {
    let steps = text(kind, url);
    let at = |sign: Sign| match sign {
        Sign::Token | Sign::Later => None,
        Sign::Connected => seen.connected,
        Sign::LookedUp => seen.looked_up,
        Sign::Created => seen.created,
        Sign::Changed => seen.changed,
        Sign::Grouped => seen.grouped,
    };
    let shows = |sign: Sign| at(sign).is_some() || (matches!(sign, Sign::Token) && has_token);
    let done = steps.iter().rposition(|(_, _, sign)| shows(*sign));
    let done = done.map_or(0, |last| last + 1);
    steps
        .into_iter()
        .enumerate()
        .map(|(place, (title, text, sign))| Step {
            title,
            text,
            state: match place.cmp(&done) {
                std::cmp::Ordering::Less => State::Done,
                std::cmp::Ordering::Equal => State::Now,
                std::cmp::Ordering::Greater => State::Later,
            },
            seen: at(sign).map(|at| zone.short(at)),
        })
        .collect()
}

fn text(kind: IntegrationKind, url: &str) -> Vec<(&'static str, String, Sign)> {
    let token = (
        "Create a provisioning token",
        "On this page. It is shown once: keep it at hand.".to_owned(),
        Sign::Token,
    );
    let mut steps = vec![token];
    let own: Vec<(&'static str, String, Sign)> = match kind {
        IntegrationKind::Entra => vec![
            ("Create an application", "Entra admin center: Enterprise applications, New application, Create your own application, Non-gallery application.".into(), Sign::Later),
            ("Enter URL and token", format!("Provisioning, mode Automatic. Tenant URL: {url} Secret Token: the provisioning token."), Sign::Connected),
            ("Test Connection, then Save", "Entra ID asks for a user that does not exist. The answer is an empty list, and that is right.".into(), Sign::LookedUp),
            ("Check the mappings", "objectId to externalId with matching precedence 1, userPrincipalName to userName, displayName, active.".into(), Sign::Later),
            ("Assign people and groups", "Users and groups. Scope: Sync only assigned users and groups.".into(), Sign::Later),
            ("Switch provisioning on", "Provisioning Status: On. The first cycle starts within minutes, later ones every 40 minutes.".into(), Sign::Created),
        ],
        IntegrationKind::Okta => vec![
            ("Add an application", "Okta admin console: Applications, Browse App Catalog, SCIM 2.0 Test App (OAuth Bearer Token). Or in an application of yours: General, App Settings, Provisioning: SCIM.".into(), Sign::Later),
            ("Enter URL and token", format!("Provisioning, Configure API Integration. SCIM 2.0 Base Url: {url} OAuth Bearer Token: the provisioning token. Unique identifier field for users: userName."), Sign::Connected),
            ("Test API Credentials, then Save", "Okta reads a page of the users.".into(), Sign::Connected),
            ("Choose what Okta does", "Provisioning, To App, Edit: Create Users, Update User Attributes, Deactivate Users.".into(), Sign::Later),
            ("Assign people", "Assignments, Assign to People or to Groups. They arrive at once.".into(), Sign::Created),
            ("Push groups", "Push Groups, by name or by rule. Okta sends a group with its members.".into(), Sign::Grouped),
        ],
        IntegrationKind::OneLogin => vec![
            ("Add an application", "OneLogin administration: Applications, Add App, SCIM Provisioner with SAML (SCIM v2 Enterprise).".into(), Sign::Later),
            ("Enter URL and token", format!("Configuration. SCIM Base URL: {url} SCIM Bearer Token: the provisioning token. Custom headers: Content-Type: application/scim+json."), Sign::Later),
            ("Enable the API connection", "Configuration, API Status: Enable. OneLogin asks at once.".into(), Sign::Connected),
            ("Enable provisioning", "Provisioning: Enable provisioning. Choose whether an administrator approves, and what becomes of people who are deleted.".into(), Sign::Later),
            ("Assign people", "Users, or Access by role. They arrive when they are saved.".into(), Sign::Created),
            ("Send groups", "Parameters, Groups: Include in User Provisioning; then a rule that sets groups.".into(), Sign::Grouped),
        ],
        IntegrationKind::Google => vec![
            ("Open the application", "Google Admin console: Apps, Web and mobile apps. Google provisions into applications of its catalogue whose endpoint can be entered.".into(), Sign::Later),
            ("Enter token and URL", format!("Autoprovisioning, Configure autoprovisioning. Access token: the provisioning token. Endpoint URL: {url}"), Sign::Connected),
            ("Map attributes", "Primary email to userName, first and last name to name. Google marks what the application requires.".into(), Sign::Later),
            ("Choose who, and for how long accounts stay", "Provisioning scope: groups. Deprovisioning: suspend or delete, and after how many days.".into(), Sign::Later),
            ("Switch autoprovisioning on", "Google sends everybody in scope within hours.".into(), Sign::Created),
        ],
        IntegrationKind::JumpCloud => vec![
            ("Add an application", "JumpCloud admin portal: SSO Applications, Add New Application, Custom Application, with Provisioning (SCIM).".into(), Sign::Later),
            ("Enter URL and token", format!("Identity Management. API Type: SCIM API, SCIM Version: 2.0. Base URL: {url} Token Key: the provisioning token. Test User Email: an address that nobody has here."), Sign::Connected),
            ("Test Connection, then Activate", "JumpCloud creates the test user, changes it and removes it again.".into(), Sign::Created),
            ("Assign user groups", "User Groups: everybody in them arrives within minutes.".into(), Sign::Changed),
            ("Send groups", "Identity Management: Enable management of User Groups and Group Membership.".into(), Sign::Grouped),
        ],
        IntegrationKind::Ping => vec![
            ("Create a connection", "PingOne: Integrations, Provisioning, New Connection, Identity Store, SCIM Outbound.".into(), Sign::Later),
            ("Enter URL and token", format!("SCIM BASE URL: {url} Authentication Method: OAuth 2 Bearer Token. Oauth Access Token: the provisioning token. Users Resource: /Users, Groups Resource: /Groups."), Sign::Later),
            ("Test Connection, then Save", "PingOne asks for the users.".into(), Sign::Connected),
            ("Choose the preferences", "User Filter Expression: userName Eq \"%s\". Choose Allow users to be created, updated, disabled.".into(), Sign::LookedUp),
            ("Create a rule and switch both on", "Provisioning, New Rule: PingOne as source, this connection as target, a user filter. Then switch on connection and rule.".into(), Sign::Created),
        ],
        IntegrationKind::Custom => vec![
            ("Enter URL and token", format!("SCIM base URL: {url} Every request carries the header Authorization: Bearer with the provisioning token."), Sign::Connected),
            ("Look somebody up", "GET /Users?filter=userName eq \"nobody\" answers with an empty list. ServiceProviderConfig, ResourceTypes and Schemas say what is offered.".into(), Sign::LookedUp),
            ("Send a person", "POST /Users with userName, externalId, name, emails and active.".into(), Sign::Created),
            ("Change a person", "PATCH /Users/{id} with Operations; active false disables.".into(), Sign::Changed),
            ("Send groups", "POST /Groups with displayName and members, then PATCH the members.".into(), Sign::Grouped),
        ],
    };
    steps.extend(own);
    steps
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_step_is_done_when_a_later_one_is_seen() {
        let zone = Zone::new(None, Timestamp::UNIX_EPOCH);
        let states = |has_token, seen| -> Vec<State> {
            steps(IntegrationKind::Entra, "https://x", has_token, seen, &zone)
                .iter()
                .map(|step| step.state)
                .collect()
        };
        assert_eq!(states(false, Seen::default())[0], State::Now);
        assert_eq!(states(true, Seen::default())[1], State::Now);
        let tested = Seen {
            connected: Some(Timestamp::UNIX_EPOCH),
            looked_up: Some(Timestamp::UNIX_EPOCH),
            ..Seen::default()
        };
        let tested = states(true, tested);
        assert_eq!(tested[3], State::Done);
        assert_eq!(tested[4], State::Now);
        let all = Seen {
            created: Some(Timestamp::UNIX_EPOCH),
            ..Seen::default()
        };
        assert!(states(true, all).iter().all(|state| *state == State::Done));
    }

    #[test]
    fn every_guide_names_the_url() {
        let zone = Zone::new(None, Timestamp::UNIX_EPOCH);
        for kind in IntegrationKind::ALL {
            let steps = steps(
                kind,
                "https://here.example/scim",
                true,
                Seen::default(),
                &zone,
            );
            assert!(
                steps
                    .iter()
                    .any(|step| step.text.contains("https://here.example/scim"))
            );
        }
    }
}
