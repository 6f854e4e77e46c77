//! Everything that is kept about a person, collected from where it lies.

use jiff::Timestamp;
use rollcall_model::{
    Activation, ApplicationId, AuditEntry, Change, Exchange, IntegrationKind, Kind, Letter, Link,
    LogEntry, Organisation, ResourceId,
};
use rollcall_store::{
    AuditQuery, Entry, Error as StoreError, ExchangeQuery, Reader, Tombstone, WaitingMail,
};
use serde_json::{Value, json};

use super::words::Words;
use crate::directory::Context;
use crate::{App, Failure};

/// So many rows are looked at together.
const PAGE: u64 = 500;

/// What is kept about a person.
#[derive(Debug)]
pub(super) struct Dossier {
    pub(super) id: ResourceId,
    organisation: Organisation,
    entry: Option<Entry>,
    managed_by: Option<IntegrationKind>,
    tombstone: Option<Tombstone>,
    groups: Vec<(ResourceId, String)>,
    reports: Vec<ResourceId>,
    changes: Vec<Change>,
    deeds: Vec<AuditEntry>,
    activation: Option<Activation>,
    pub(super) applications: Vec<AtApplication>,
    /// Requests that tell of them, with their places.
    pub(super) requests: Vec<(u64, Exchange)>,
    /// Letters that wait, to them or about them.
    pub(super) mail: Vec<(WaitingMail, Letter)>,
    pub(super) words: Words,
}

/// What provisioning into an application keeps about them.
#[derive(Debug)]
pub(super) struct AtApplication {
    pub(super) id: ApplicationId,
    name: String,
    assigned: Option<Timestamp>,
    link: Option<Link>,
    groups: Vec<ResourceId>,
    log: Vec<LogEntry>,
    /// Entries of the log about others that tell of them, with their places.
    pub(super) mentions: Vec<(u64, LogEntry)>,
    /// The numbers of plans that tell of them.
    pub(super) plans: Vec<u64>,
    /// Whether what is remembered of cycles does.
    pub(super) is_in_cycles: bool,
    /// Whether the state of the job does.
    pub(super) is_in_job: bool,
}

impl Dossier {
    /// Collects it. `words` are those by which the person is known already.
    pub(super) async fn gather(
        app: &App,
        context: &Context,
        id: ResourceId,
        words: Words,
    ) -> Result<Self, Failure> {
        let tenant = context.tenant();
        let opener = app.clone();
        let mut dossier = tenant
            .read(move |reader| own(&opener, reader, id, words))
            .await?;
        let words = dossier.words.clone();
        dossier.requests = requests(context, &words).await?;
        for at in &mut dossier.applications {
            let application = at.id;
            at.mentions = mentions(context, application, id, &words).await?;
            let inner = words.clone();
            (at.plans, at.is_in_cycles, at.is_in_job) = tenant
                .read(move |reader| remembered(reader, application, &inner))
                .await?;
        }
        Ok(dossier)
    }

    /// Tells whether nothing is kept at all.
    pub(super) fn is_empty(&self) -> bool {
        self.entry.is_none()
            && self.tombstone.is_none()
            && self.changes.is_empty()
            && self.deeds.is_empty()
    }

    /// Tells whether there is more than the id at places in feed and log.
    pub(super) fn is_personal(&self) -> bool {
        let at_applications = self.applications.iter().any(|at| {
            at.assigned.is_some()
                || at.link.is_some()
                || !(at.groups.is_empty() && at.log.is_empty() && at.mentions.is_empty())
                || !at.plans.is_empty()
                || at.is_in_cycles
                || at.is_in_job
        });
        self.entry.is_some()
            || self.tombstone.is_some()
            || self.activation.is_some()
            || self.changes.iter().any(|change| change.document.is_some())
            || !(self.requests.is_empty() && self.mail.is_empty())
            || at_applications
    }

    /// Returns it as one document. Secrets are left out.
    pub(super) fn document(&self, now: Timestamp) -> Value {
        let person = self.entry.as_ref().map(|entry| {
            json!({
                "document": entry.resource.clone().into_value(), "managed_by": self.managed_by.map(IntegrationKind::word),
                "created": entry.created, "modified": entry.modified, "version": entry.version,
            })
        });
        let deleted = self.tombstone.as_ref().map(|tombstone| {
            json!({
                "at": tombstone.deleted, "user_name": tombstone.name_key, "external_id": tombstone.external_id,
                "managed_by": self.managed_by.map(IntegrationKind::word), "version": tombstone.version,
            })
        });
        let groups = self
            .groups
            .iter()
            .map(|(id, name)| json!({"id": id, "name": name}));
        let requests = self.requests.iter().map(|(_, exchange)| exchange);
        let mail = self.mail.iter().map(|(mail, letter)| {
            let content = serde_json::to_value(&letter.content).unwrap_or_default();
            json!({"to": letter.to, "about": content.get("is"), "due": mail.due, "attempts": mail.attempts})
        });
        let activation = self.activation.as_ref().map(|activation| {
            json!({
                "invited": activation.invited, "sent": activation.sent,
                "link": activation.link.as_ref().map(|link| json!({"address": link.address, "expires": link.expires})),
                "activated": activation.vault.as_ref().map(|vault| vault.since),
            })
        });
        let applications = self.applications.iter().map(AtApplication::document);
        json!({
            "exported": now, "organisation": self.organisation.slug, "id": self.id,
            "person": person, "deleted": deleted, "groups": groups.collect::<Vec<_>>(), "manager_of": self.reports,
            "activation": activation, "history": self.changes, "activity": self.deeds,
            "requests": requests.collect::<Vec<_>>(), "mail": mail.collect::<Vec<_>>(),
            "applications": applications.flatten().collect::<Vec<_>>(),
        })
    }
}

impl AtApplication {
    /// Returns it as a document; absent: there is nothing.
    fn document(&self) -> Option<Value> {
        let is_there = self.assigned.is_some()
            || self.link.is_some()
            || !(self.groups.is_empty() && self.log.is_empty() && self.mentions.is_empty())
            || !self.plans.is_empty()
            || self.is_in_cycles
            || self.is_in_job;
        is_there.then(|| {
            let mentions: Vec<_> = self.mentions.iter().map(|(_, entry)| entry).collect();
            json!({
                "id": self.id, "name": self.name, "assigned": self.assigned, "link": self.link, "groups": self.groups,
                "log": self.log, "log_about_others": mentions, "plans": self.plans,
                "in_cycles": self.is_in_cycles, "in_job": self.is_in_job,
            })
        })
    }
}

/// Reads what lies under the person's id.
fn own(
    app: &App,
    reader: &dyn Reader,
    id: ResourceId,
    mut words: Words,
) -> Result<Dossier, Failure> {
    let entry = reader.entry(Kind::User, id)?;
    let tombstone = reader.tombstone(Kind::User, id)?;
    let changes = changes(reader, id)?;
    let documents = changes.iter().filter_map(|change| change.document.as_ref());
    documents.for_each(|document| words.add_document(document));
    if let Some(entry) = &entry {
        words.add_document(&entry.resource.clone().into_value());
    }
    if let Some(tombstone) = &tombstone {
        words.add(&tombstone.name_key);
        words.add(tombstone.external_id.as_deref().unwrap_or_default());
    }
    let mut applications = Vec::new();
    for application in reader.applications()? {
        let at = application.id;
        let link = reader.link(at, Kind::User, id)?;
        let called = link.iter().flat_map(|link| [&link.target_id, &link.name]);
        called.flatten().for_each(|word| words.add(word));
        let assigned = reader.assignments(at)?;
        let assigned = assigned
            .iter()
            .find(|one| (one.kind, one.principal) == (Kind::User, id));
        applications.push(AtApplication {
            id: at,
            name: application.name,
            assigned: assigned.map(|one| one.since),
            link,
            groups: reader.exported_groups(at, id)?,
            log: reader.object_log(at, Kind::User, id, u64::MAX)?,
            mentions: Vec::new(),
            plans: Vec::new(),
            is_in_cycles: false,
            is_in_job: false,
        });
    }
    let managed_by = match (&entry, &tombstone) {
        (Some(entry), _) => entry.managed_by,
        (None, Some(tombstone)) => tombstone.managed_by,
        (None, None) => None,
    };
    let integrations = reader.integrations()?;
    let organisation = reader.organisation()?;
    let letters = app.letters_waiting(reader, organisation.id)?;
    let mail = letters
        .into_iter()
        .filter(|(_, letter)| words.are_said_by(letter))
        .collect();
    Ok(Dossier {
        id,
        organisation,
        entry,
        managed_by: integrations
            .iter()
            .find(|one| Some(one.id) == managed_by)
            .map(|one| one.kind),
        tombstone,
        groups: reader.groups_of(id)?,
        reports: reader.reports_of(id)?,
        changes,
        deeds: deeds(reader, id)?,
        activation: reader.activation(id)?,
        applications,
        requests: Vec::new(),
        mail,
        words,
    })
}

/// Reads the person's history, latest first.
fn changes(reader: &dyn Reader, id: ResourceId) -> Result<Vec<Change>, StoreError> {
    let mut all: Vec<Change> = Vec::new();
    loop {
        let before = all.last().map(|change| change.sequence);
        let part = reader.object_changes(Kind::User, id, before, PAGE)?;
        if part.is_empty() {
            return Ok(all);
        }
        all.extend(part);
    }
}

/// Reads what was done to the person, latest first.
fn deeds(reader: &dyn Reader, id: ResourceId) -> Result<Vec<AuditEntry>, StoreError> {
    let mut all: Vec<AuditEntry> = Vec::new();
    loop {
        let query = AuditQuery {
            object: Some(id.to_string()),
            before: all.last().map(|entry| entry.sequence),
            ..AuditQuery::default()
        };
        let part = reader.audit_where(&query, PAGE)?;
        if part.is_empty() {
            return Ok(all);
        }
        all.extend(part);
    }
}

/// Reads the requests that tell of the person.
async fn requests(context: &Context, words: &Words) -> Result<Vec<(u64, Exchange)>, Failure> {
    let mut found = Vec::new();
    let mut query = ExchangeQuery::default();
    loop {
        let part = context
            .tenant()
            .read::<_, Failure, _>(move |reader| Ok(reader.exchanges(query, PAGE)?))
            .await?;
        let Some((last, _)) = part.last() else {
            return Ok(found);
        };
        query.before = Some(*last);
        found.extend(part.into_iter().filter(|(_, exchange)| {
            let bodies = [&exchange.asked, &exchange.answered];
            words.are_in_path(&exchange.path)
                || bodies
                    .into_iter()
                    .flatten()
                    .any(|body| words.are_in_body(body))
        }));
    }
}

/// Reads what the log of an application about others tells of the person.
async fn mentions(
    context: &Context,
    application: ApplicationId,
    id: ResourceId,
    words: &Words,
) -> Result<Vec<(u64, LogEntry)>, Failure> {
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let part = context
            .tenant()
            .read::<_, Failure, _>(move |reader| {
                Ok(reader.provisioning_log(application, before, PAGE)?)
            })
            .await?;
        let Some((last, _)) = part.last() else {
            return Ok(found);
        };
        before = Some(*last);
        let own = id.to_string();
        found.extend(part.into_iter().filter(|(_, entry)| {
            (entry.source.kind, &entry.source.id) != (Kind::User, &own) && words.are_said_by(entry)
        }));
    }
}

/// Tells which plans, and whether cycles and the job of an application, tell of the person.
fn remembered(
    reader: &dyn Reader,
    application: ApplicationId,
    words: &Words,
) -> Result<(Vec<u64>, bool, bool), Failure> {
    let mut plans = Vec::new();
    for record in reader.plans(application)? {
        let number = record.number;
        let says = |bytes: Option<Vec<u8>>| {
            bytes.is_some_and(|bytes| words.are_in(&String::from_utf8_lossy(&bytes)))
        };
        let mut is_in = words.are_said_by(&record) || says(reader.plan(application, number)?);
        let mut page = 0;
        while let Some(body) = reader
            .plan_page(application, number, page)?
            .filter(|_| !is_in)
        {
            is_in = says(Some(body));
            page += 1;
        }
        if is_in {
            plans.push(number);
        }
    }
    let cycles = reader.cycles(application, u64::MAX)?;
    let job = reader.job(application)?;
    Ok((plans, words.are_said_by(&cycles), words.are_said_by(&job)))
}
