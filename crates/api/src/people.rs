//! `/people`: who is in the organisation, and whether they may come in.

use http::StatusCode;
use jiff::Timestamp;
use rollcall_app::directory::{Expected, Listing};
use rollcall_model::{KeyRole, Kind, ResourceId, Standing};
use serde_json::Value;

use crate::described::Nothing;
use crate::listing::count;
use crate::operation::{Call, DELETE, GET, Operation, POST};
use crate::problem::Problem;

/// What a path that names somebody who is not there is about.
const NOUN: &str = "user";

words! {
    /// How a person stands.
    pub(crate) enum PersonState {
        /// They can use what the organisation offers.
        Active "active",
        /// They still have to activate their account.
        Invited "invited",
        /// The account is switched off.
        Disabled "disabled",
    }
}

described! {
    /// An e-mail address of a person.
    pub(crate) struct Email {
        /// The address.
        value: String,
        /// What it is for, such as `work`; null: nobody said.
        r#type: Option<String>,
        /// Whether it is the one to use first.
        primary: bool,
    }
}

described! {
    /// A person.
    pub(crate) struct Person {
        /// Their id; it never changes.
        id: String,
        /// The name with which they sign in; unique.
        user_name: String,
        /// Their name for others; null: nobody said.
        display_name: Option<String>,
        /// Their addresses.
        emails: Vec<Email>,
        /// How they stand.
        state: PersonState,
        /// The kind of directory that has charge of the account, such as `entra`; null: none has.
        managed_by: Option<String>,
        /// Their id in that directory; null: it has not said.
        external_id: Option<String>,
        /// When the account was created.
        created: Timestamp,
        /// When it changed last.
        changed: Timestamp,
        /// Counts its changes, from 1.
        version: u64,
    }
}

described! {
    /// A page of people.
    pub(crate) struct People {
        /// The people, in order of id, which is that of their creation.
        people: Vec<Person>,
        /// The `cursor` of the next page; null: this is the last.
        next: Option<String>,
    }
}

described! {
    /// Which people are wanted.
    pub(crate) struct Asked {
        /// Only those that match this filter, in the language of SCIM: `userName eq "ann@example.com"`, `active eq false`, `meta.lastModified gt "2026-11-01T00:00:00Z"`.
        filter: Option<String>,
        /// The page that begins here: `next` of the page before, asked with the same `filter`; good for an hour.
        cursor: Option<String>,
        /// How many at most, 1 to 1000; 100 when absent.
        limit: Option<u64>,
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    use KeyRole::{Manage, Read};
    vec![
        Operation::new((GET, "/people"), Read, ("listPeople", "Lists people"), list),
        Operation::new((GET, "/people/{id}"), Read, ("getPerson", "Returns a person"), look),
        Operation::new(
            (DELETE, "/people/{id}"),
            Manage,
            ("deletePerson", "Deletes a person, whoever manages the account; a tombstone stays, so that who comes back gets the same id"),
            delete,
        )
        .with(StatusCode::NO_CONTENT),
        Operation::new(
            (POST, "/people/{id}/disable"),
            Manage,
            ("disablePerson", "Switches a person off, whoever manages the account"),
            disable,
        ),
        Operation::new(
            (POST, "/people/{id}/enable"),
            Manage,
            ("enablePerson", "Switches a person on again, if a seat is free"),
            enable,
        ),
    ]
}

impl Person {
    fn of(listing: &Listing) -> Self {
        let (entry, resource) = (&listing.entry, &listing.entry.resource);
        let emails = resource.as_map().get("emails").and_then(Value::as_array);
        let emails = emails.map(Vec::as_slice).unwrap_or_default();
        let text = |email: &Value, name| Some(email.get(name)?.as_str()?.to_owned());
        Self {
            id: entry.id.to_string(),
            user_name: resource.user_name().unwrap_or_default().to_owned(),
            display_name: resource.display_name().map(str::to_owned),
            emails: emails
                .iter()
                .filter_map(|email| {
                    Some(Email {
                        value: text(email, "value")?,
                        r#type: text(email, "type"),
                        primary: email.get("primary").and_then(Value::as_bool) == Some(true),
                    })
                })
                .collect(),
            state: match listing.standing {
                Standing::Active => PersonState::Active,
                Standing::Invited => PersonState::Invited,
                Standing::Disabled => PersonState::Disabled,
            },
            managed_by: listing.managed_by.map(|kind| kind.word().to_owned()),
            external_id: resource.external_id().map(str::to_owned),
            created: entry.created,
            changed: entry.modified,
            version: entry.version,
        }
    }
}

async fn list(call: Call<Asked, Nothing>) -> Result<People, Problem> {
    let Asked {
        filter,
        cursor,
        limit,
    } = &call.query;
    let question = format!("people {}", filter.as_deref().unwrap_or_default());
    let after = call.opened(cursor.as_deref(), &question)?;
    let after = after.map(ResourceId::from_bytes);
    let (context, filter) = (call.context(), filter.as_deref());
    let found = (call.api.app).roster(&context, Kind::User, filter, after, count(*limit));
    let (listed, next) = found.await?;
    Ok(People {
        people: listed.iter().map(Person::of).collect(),
        next: next.map(|last| call.sealed(last.as_bytes(), &question)),
    })
}

async fn look(call: Call<Nothing, Nothing>) -> Result<Person, Problem> {
    let id = call.id(NOUN)?;
    shown(&call, id).await
}

async fn shown(call: &Call<Nothing, Nothing>, id: ResourceId) -> Result<Person, Problem> {
    let found = call
        .api
        .app
        .listing(&call.context(), Kind::User, id)
        .await?;
    Ok(Person::of(&found))
}

async fn delete(call: Call<Nothing, Nothing>) -> Result<Nothing, Problem> {
    let id = call.id(NOUN)?;
    let (app, context) = (&call.api.app, call.context());
    app.delete(&context, Kind::User, id, Expected::Existing)
        .await?;
    Ok(Nothing {})
}

async fn disable(call: Call<Nothing, Nothing>) -> Result<Person, Problem> {
    switch(&call, false).await
}

async fn enable(call: Call<Nothing, Nothing>) -> Result<Person, Problem> {
    switch(&call, true).await
}

async fn switch(call: &Call<Nothing, Nothing>, active: bool) -> Result<Person, Problem> {
    let id = call.id(NOUN)?;
    call.api.app.set_active(&call.context(), id, active).await?;
    shown(call, id).await
}
