//! The nouns of Rollcall.
//!
//! **Is:** the words of the guide as types: organisation, integration, token, application, mapping, change. A value that
//! exists is valid; parsing is the only way in.
//! **Is not:** rules that need other people's data (those are use cases, in `rollcall-app`), storage, or anything that waits.
//! **Start at** [`Organisation`] for the receiving end and [`Application`] for the sending end.

pub mod activation;
pub mod administrator;
pub mod application;
pub mod cell;
pub mod chain;
pub mod change;
pub mod clock;
pub mod event;
pub mod history;
pub mod id;
pub mod integration;
pub mod key;
pub mod letter;
pub mod link;
pub mod mapping;
pub mod organisation;
pub mod plan;
pub mod profile;
pub mod provisioning;
pub mod retention;
pub mod session;
pub mod token;
pub mod traffic;
pub mod webhook;

pub use activation::{Activation, Invitation, Standing};
pub use administrator::{Administrator, Email, Permission, Role};
pub use application::{Application, Assignment, Principal};
pub use change::{Action, Actor, ActorKind, AuditEntry, Change, Kind, Membership, Origin, Summary};
pub use clock::{Clock, FixedClock, SystemClock};
pub use event::{Event, EventType};
pub use id::{
    AdminId, ApplicationId, CycleId, IntegrationId, KeyId, OrgId, Randomness, RequestId,
    ResourceId, SessionId, TokenId, WebhookId,
};
pub use integration::{Integration, IntegrationKind};
pub use key::{ApiKey, KeyName, KeyRecord, KeyRole};
pub use letter::Letter;
pub use link::{Link, LinkState};
pub use mapping::{AttributeMapping, ObjectMapping};
pub use organisation::{Organisation, Plan, Region, Rules, Slug};
pub use profile::Profile;
pub use provisioning::{CycleReport, JobState, LogEntry};
pub use session::{Session, Stage};
pub use token::{ProvisioningToken, Secret, TokenRecord};
pub use traffic::Exchange;
pub use webhook::{Delivery, Webhook};
