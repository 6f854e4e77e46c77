//! A day at Northwind: people marry, are promoted, leave, join and move; a group is renamed.

use anyhow::Context as _;
use rollcall_app::directory::{Context, Expected, Wanted};
use rollcall_app::{App, Failure};
use rollcall_model::{Kind, ResourceId};
use rollcall_scim::patch::Patch;
use serde_json::{Value, json};

use super::northwind;
use crate::printer;

/// The people to whom something happens, by their place in the directory.
const MARRIES: usize = 21;
const PROMOTED: usize = 33;
const BLOCKED: usize = 26;
const DELETED: usize = 38;
const MOVES: usize = 31;

/// A day in a directory.
pub(super) struct Day<'a> {
    pub(super) app: &'a App,
    pub(super) source: &'a Context,
}

impl Day<'_> {
    /// Lets it pass.
    pub(super) async fn pass(&self, users: usize) -> anyhow::Result<()> {
        self.names_and_titles().await?;
        self.leavers().await?;
        self.groups(users).await
    }

    async fn names_and_titles(&self) -> anyhow::Result<()> {
        let (given, family) = northwind::name(MARRIES);
        let user_name = format!("{}.northwind@northwind.example", given.to_lowercase());
        let operations = json!([
            {"op": "replace", "path": "name.familyName", "value": "Northwind"},
            {"op": "replace", "path": "displayName", "value": format!("{given} Northwind")},
            {"op": "replace", "path": "userName", "value": user_name},
        ]);
        self.patch_person(MARRIES, operations).await?;
        printer::detail(&format!(
            "{given} {family} takes another name and signs in as {user_name}."
        ));
        let operations = json!([{"op": "replace", "path": "title", "value": "Team Lead"}]);
        self.patch_person(PROMOTED, operations).await?;
        printer::detail(&format!("{} becomes Team Lead.", name(PROMOTED)));
        Ok(())
    }

    async fn leavers(&self) -> anyhow::Result<()> {
        let operations = json!([{"op": "replace", "path": "active", "value": false}]);
        self.patch_person(BLOCKED, operations).await?;
        printer::detail(&format!("{}'s account is blocked.", name(BLOCKED)));
        let id = self.person(DELETED).await?;
        self.app
            .delete(self.source, Kind::User, id, Expected::Any)
            .await?;
        printer::detail(&format!("{}'s account is deleted.", name(DELETED)));
        Ok(())
    }

    async fn groups(&self, users: usize) -> anyhow::Result<()> {
        let id = self.person(MOVES).await?;
        let (from, to) = (
            northwind::department(MOVES),
            northwind::department(MOVES + 1),
        );
        let path = format!("members[value eq \"{id}\"]");
        self.patch_group(from, json!([{"op": "remove", "path": path}]))
            .await?;
        self.add_member(to, id).await?;
        printer::detail(&format!("{} moves from {from} to {to}.", name(MOVES)));

        let joined = northwind::department(users);
        let joined = if joined == "Contractors" {
            "Sales"
        } else {
            joined
        };
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": "ada.newcomer@northwind.example",
            "displayName": "Ada Newcomer",
            "name": {"givenName": "Ada", "familyName": "Newcomer"},
            "emails": [{"value": "ada.newcomer@northwind.example", "type": "work"}],
        });
        let newcomer = self.app.create(self.source, Kind::User, body).await?;
        self.add_member(joined, newcomer.entry.id).await?;
        printer::detail(&format!("Ada Newcomer joins {joined}."));

        let operations =
            json!([{"op": "replace", "path": "displayName", "value": "Oslo and Bergen"}]);
        self.patch_group("Oslo office", operations).await?;
        printer::detail("The group Oslo office is renamed Oslo and Bergen.");
        Ok(())
    }

    async fn person(&self, person: usize) -> anyhow::Result<ResourceId> {
        self.find(Kind::User, &northwind::sign_in_name(person))
            .await
    }

    async fn patch_person(&self, person: usize, operations: Value) -> anyhow::Result<()> {
        let id = self.person(person).await?;
        self.patch(Kind::User, id, operations).await
    }

    async fn patch_group(&self, name: &str, operations: Value) -> anyhow::Result<()> {
        let id = self.find(Kind::Group, name).await?;
        self.patch(Kind::Group, id, operations).await
    }

    async fn add_member(&self, group: &str, member: ResourceId) -> anyhow::Result<()> {
        let members = json!([{"value": member.to_string()}]);
        let operations = json!([{"op": "add", "path": "members", "value": members}]);
        self.patch_group(group, operations).await
    }

    async fn find(&self, kind: Kind, name: &str) -> anyhow::Result<ResourceId> {
        let looked_for = name.to_owned();
        let found = self
            .source
            .tenant()
            .read::<_, Failure, _>(move |reader| Ok(reader.named(kind, &looked_for)?))
            .await?;
        found.with_context(|| format!("`{name}` is not in the directory"))
    }

    async fn patch(&self, kind: Kind, id: ResourceId, operations: Value) -> anyhow::Result<()> {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        let limits = &self.app.settings().limits;
        let patch =
            Patch::parse(&body, self.app.resource_type(kind), limits).map_err(Failure::from)?;
        self.app
            .patch(self.source, kind, id, patch, Expected::Any, Wanted::NOTHING)
            .await?;
        Ok(())
    }
}

fn name(person: usize) -> String {
    let (given, family) = northwind::name(person);
    format!("{given} {family}")
}
