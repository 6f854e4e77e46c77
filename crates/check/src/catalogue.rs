//! The promises of a SCIM endpoint: what each is, where it comes from, and what to do when it is broken.

use serde::Serialize;

/// How much a directory relies on a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Provisioning goes wrong without it.
    Must,
    /// Something is worse without it.
    Should,
    /// It is good to have.
    May,
}

/// A promise.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Promise {
    /// Its name, for scripts.
    pub id: &'static str,
    /// How much a directory relies on it.
    pub level: Level,
    /// What is promised.
    pub title: &'static str,
    /// Where it is written.
    pub source: &'static str,
    /// What to do when it is broken.
    pub advice: &'static str,
}

macro_rules! promises {
    ($($name:ident = $id:literal, $level:ident, $title:literal, $source:literal, $advice:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: Promise = Promise {
                id: $id,
                level: Level::$level,
                title: $title,
                source: $source,
                advice: $advice,
            };
        )*

        /// All promises, in the order in which they are tested.
        pub const ALL: &[&Promise] = &[$(&$name),*];
    };
}

promises! {
    NOBODY_GETS_IN = "access.nobody", Must,
        "Without a token nobody gets in",
        "RFC 7644 §2; RFC 6750 §3",
        "answer 401 with `WWW-Authenticate: Bearer` before anything else of a request is looked at";
    STRANGERS_ARE_REFUSED = "access.stranger", Must,
        "A wrong token is refused",
        "RFC 7644 §3.12; RFC 6750 §3.1",
        "answer 401 to a token that is not known: directories stop and tell their administrator, and try on after anything else";
    CONFIG_IS_TOLD = "discovery.config", Must,
        "The service provider's configuration can be read",
        "RFC 7644 §4; RFC 7643 §5",
        "answer `GET /ServiceProviderConfig` with patch, bulk, filter, changePassword, sort, etag and authenticationSchemes";
    TYPES_ARE_TOLD = "discovery.types", Must,
        "The resource types can be read, with User among them",
        "RFC 7644 §4; RFC 7643 §6",
        "answer `GET /ResourceTypes` with a list in which User has an endpoint and a schema";
    SCHEMAS_ARE_TOLD = "discovery.schemas", Must,
        "The schemas can be read, with that of the User among them",
        "RFC 7644 §4; RFC 7643 §7",
        "answer `GET /Schemas` with a list of schemas and their attributes";
    BODIES_ARE_SCIM = "answers.media-type", Should,
        "Answers are declared as SCIM",
        "RFC 7644 §3.1",
        "send `Content-Type: application/scim+json`";
    WHAT_IS_MISSING_IS_TOLD = "answers.missing", Must,
        "Who is not there is answered with 404, in SCIM's words",
        "RFC 7644 §3.12",
        "answer 404 with the schema of errors, and the status as text in the body";
    A_LIST_IS_A_LIST = "list.shape", Must,
        "A list says how many there are, and holds no more than was asked for",
        "RFC 7644 §3.4.2",
        "answer with ListResponse and totalResults, and heed `count`";
    COUNT_ZERO_COUNTS = "list.none", Should,
        "`count=0` asks for the number alone",
        "RFC 7644 §3.4.2.4",
        "answer with totalResults and no resources";
    LISTS_BEGIN_AT_ONE = "list.start", Should,
        "A `startIndex` below 1 means 1",
        "RFC 7644 §3.4.2.4",
        "take what is below 1 for 1, instead of refusing it";
    NOBODY_IS_FOUND = "filter.nobody", Must,
        "A filter that fits nobody finds nobody",
        "RFC 7644 §3.4.2.2",
        "answer 200 with totalResults 0: a server that ignores filters makes a directory change the wrong person";
    WRONG_FILTERS_ARE_REFUSED = "filter.wrong", Should,
        "A filter that cannot be read is refused",
        "RFC 7644 §3.4.2.2, §3.12",
        "answer 400 with scimType invalidFilter, not a list of everybody";
    SEARCH_BY_POST = "list.search", May,
        "People can be looked for without their names in an address",
        "RFC 7644 §3.4.3",
        "offer `POST /Users/.search`: addresses end up in logs";
    PEOPLE_ARE_CREATED = "create.person", Must,
        "A person is created",
        "RFC 7644 §3.3",
        "answer 201 with the whole resource: id, userName, schemas, meta";
    WHERE_IT_IS_IS_TOLD = "create.location", Should,
        "What was created says where it is",
        "RFC 7644 §3.3",
        "send the header `Location` with the address that is in meta.location";
    NAMES_ARE_TAKEN_ONCE = "create.twice", Must,
        "A userName is taken once",
        "RFC 7644 §3.3",
        "answer 409 with scimType uniqueness, also for another case of the letters";
    NAMELESS_IS_REFUSED = "create.nameless", Must,
        "Nobody is created without a userName",
        "RFC 7643 §4.1.1; RFC 7644 §3.12",
        "answer 400 with scimType invalidValue";
    EXTERNAL_IDS_ARE_KEPT = "create.external-id", Must,
        "externalId is kept",
        "RFC 7643 §3.1",
        "keep what the directory calls the person, and return it";
    PEOPLE_ARE_READ = "read.person", Must,
        "A person is read as created",
        "RFC 7644 §3.4.1",
        "answer `GET /Users/{id}` with what was created";
    PASSWORDS_ARE_NEVER_TOLD = "read.password", Must,
        "A password is never told",
        "RFC 7643 §4.1.1",
        "leave `password` out of every answer";
    NAMES_ARE_FOUND = "filter.name", Must,
        "A person is found by userName",
        "RFC 7644 §3.4.2.2",
        "answer `filter=userName eq \"…\"` with exactly this person";
    CASE_DOES_NOT_MATTER = "filter.case", Must,
        "userName is found in any case of its letters",
        "RFC 7643 §4.1.1, §2.2",
        "compare userName without regard to case: it is not caseExact";
    EXTERNAL_IDS_ARE_FOUND = "filter.external-id", Should,
        "A person is found by externalId",
        "RFC 7644 §3.4.2.2",
        "answer `filter=externalId eq \"…\"` with exactly this person: directories match by it";
    LESS_CAN_BE_ASKED_FOR = "read.projection", Should,
        "Only what was asked for is returned",
        "RFC 7644 §3.9",
        "heed `attributes` and `excludedAttributes`; id and schemas are always there";
    ATTRIBUTES_ARE_REPLACED = "patch.value", Must,
        "PATCH replaces an attribute",
        "RFC 7644 §3.5.2.3",
        "carry out `replace` with a path";
    PARTS_ARE_REPLACED = "patch.sub", Must,
        "PATCH replaces a part of an attribute",
        "RFC 7644 §3.5.2.3",
        "carry out `replace` at `name.familyName`, and leave the other parts alone";
    PATHS_MAY_BE_LEFT_OUT = "patch.no-path", Must,
        "PATCH without a path takes an object",
        "RFC 7644 §3.5.2",
        "carry out each field of the value as if it were a path";
    VALUES_ARE_CHOSEN = "patch.value-path", Must,
        "PATCH changes one value of many",
        "RFC 7644 §3.5.2",
        "understand `emails[type eq \"work\"].value`";
    ATTRIBUTES_ARE_REMOVED = "patch.remove", Must,
        "PATCH removes an attribute",
        "RFC 7644 §3.5.2.2",
        "carry out `remove` with a path";
    WRONG_PATHS_ARE_REFUSED = "patch.wrong", Must,
        "A path that cannot be understood is refused",
        "RFC 7644 §3.5.2, §3.12",
        "answer 400 with scimType invalidPath: 200 without effect is how people keep access that was taken from them";
    ALL_OR_NOTHING = "patch.whole", Must,
        "When one operation fails, none is carried out",
        "RFC 7644 §3.5.2",
        "carry out all operations of a PATCH, or none";
    PEOPLE_ARE_DISABLED = "patch.disable", Must,
        "`active: false` disables a person, who is still there",
        "RFC 7643 §4.1.1",
        "keep the person, and let them in nowhere";
    PEOPLE_ARE_ENABLED = "patch.enable", Must,
        "`active: true` lets the person in again",
        "RFC 7643 §4.1.1",
        "enable the same account, with the same id";
    PEOPLE_ARE_REPLACED = "put.person", Must,
        "PUT replaces a person",
        "RFC 7644 §3.5.1",
        "take what is sent for what is there; the id stays";
    WHAT_IS_LEFT_OUT_IS_GONE = "put.clears", Should,
        "What PUT leaves out is cleared",
        "RFC 7644 §3.5.1",
        "clear attributes that are not sent";
    WORK_IS_KEPT = "extension.enterprise", Should,
        "The enterprise extension is kept",
        "RFC 7643 §4.3",
        "keep department and employeeNumber under the extension's URN";
    OLD_VERSIONS_ARE_REFUSED = "etag.stale", Should,
        "A change made for an old version is refused",
        "RFC 7644 §3.14",
        "answer 412 to an `If-Match` that does not fit, where the configuration says that ETags are supported";
    GROUPS_ARE_CREATED = "group.create", Must,
        "A group is created with members",
        "RFC 7644 §3.3; RFC 7643 §4.2",
        "answer 201 with displayName and members";
    GROUPS_ARE_FOUND = "group.find", Must,
        "A group is found by displayName",
        "RFC 7644 §3.4.2.2",
        "answer `filter=displayName eq \"…\"`";
    MEMBERS_CAN_BE_LEFT_OUT = "group.without", Should,
        "A group can be read without its members",
        "RFC 7644 §3.9",
        "heed `excludedAttributes=members`: groups grow large";
    MEMBERS_LEAVE = "group.leave", Must,
        "PATCH takes one member out",
        "RFC 7644 §3.5.2.2",
        "carry out `remove` at `members[value eq \"…\"]`, and leave the others in";
    MEMBERS_JOIN = "group.join", Must,
        "PATCH adds a member",
        "RFC 7644 §3.5.2.1",
        "carry out `add` at `members`, and keep those who are there";
    GROUPS_ARE_RENAMED = "group.rename", Must,
        "PATCH renames a group",
        "RFC 7644 §3.5.2.3",
        "carry out `replace` at `displayName`; the members stay";
    GROUPS_ARE_TOLD = "group.of", Should,
        "A person says in which groups they are",
        "RFC 7643 §4.1.2",
        "return `groups` with each User, read-only";
    GROUPS_ARE_DELETED = "group.delete", Must,
        "A group is deleted, and its members stay",
        "RFC 7644 §3.6",
        "answer 204; then 404 for the group, and 200 for its members";
    PEOPLE_ARE_DELETED = "delete.person", Must,
        "A person is deleted",
        "RFC 7644 §3.6",
        "answer 204";
    WHO_IS_DELETED_IS_GONE = "delete.gone", Must,
        "Who was deleted is not there any more",
        "RFC 7644 §3.6",
        "answer 404 to whatever is asked of them, and leave them out of lists";
    NAMES_ARE_FREE_AGAIN = "delete.again", Should,
        "The name of who was deleted can be given again",
        "RFC 7644 §3.6",
        "do not let a deleted resource stand in the way of a new one";
    ENTRA_OPERATIONS = "entra.operations", Must,
        "Operations are understood with capital letters",
        "Entra: known issues of SCIM",
        "take `Add`, `Replace` and `Remove` for what they are";
    ENTRA_DISABLES = "entra.disable", Must,
        "The text \"False\" disables a person",
        "Entra: known issues of SCIM",
        "take \"True\" and \"False\" for booleans at `active`: Entra sends them where no flag is set";
    ENTRA_CREATES_VALUES = "entra.creates-value", Must,
        "A value is created where the filter of a path finds none",
        "Entra: SCIM PATCH requests",
        "create the phone number of type work when `phoneNumbers[type eq \"work\"].value` is set and there is none";
    ENTRA_DOTTED_NAMES = "entra.dotted", Must,
        "An object without a path may have dotted names and URNs",
        "Entra: SCIM PATCH requests",
        "carry out `name.familyName` and `urn:…:User:department` as paths";
    ENTRA_MANAGERS = "entra.manager", Should,
        "A manager is set by a bare id",
        "Entra: SCIM PATCH requests",
        "take the text at `…:User:manager` for the manager's value";
    ENTRA_MEMBERS_LEAVE = "entra.leave", Must,
        "Members leave who are listed in the value of a Remove",
        "Entra: SCIM PATCH requests",
        "take out those in `value` alone: without them in mind, `Remove` at `members` empties the group";
    ENTRA_FINDS_DISABLED = "entra.finds-disabled", Must,
        "Who is disabled is found by userName",
        "Entra: SCIM design guidelines",
        "find disabled people by filters: Entra enables them again instead of creating them";
    ENTRA_GROUP_FILTER = "entra.group-filter", Must,
        "A group is found by displayName without its members",
        "Entra: SCIM group operations",
        "answer `filter=displayName eq \"…\"&excludedAttributes=members`";
    OKTA_PAGES = "okta.page", Must,
        "People are listed from 1, a hundred at a time",
        "Okta: SCIM protocol",
        "answer `startIndex=1&count=100` with totalResults, startIndex and itemsPerPage";
    OKTA_DISABLES_BY_PUT = "okta.put", Must,
        "A whole person with `active: false` disables",
        "Okta: SCIM protocol, deactivation",
        "take `active` from a PUT";
    OKTA_DISABLES_BY_PATCH = "okta.patch", Must,
        "A PATCH without a path disables",
        "Okta: SCIM protocol, deactivation",
        "carry out `{\"op\": \"replace\", \"value\": {\"active\": false}}`";
    OKTA_REPLACES_MEMBERS = "okta.members", Must,
        "All members of a group are replaced at once",
        "Okta: SCIM protocol, groups",
        "carry out `replace` at `members`";
    OKTA_RENAMES = "okta.rename", Must,
        "A group is renamed by an object with its id",
        "Okta: SCIM protocol, groups",
        "take `id` in the value as it is, and carry out `displayName`";
}

/// Returns what `docs/check.md` says of the promises: a table.
pub fn page() -> String {
    let mut page = String::from(
        "| promise | weight | where it is written | what to do when it is broken |\n|---|---|---|---|\n",
    );
    for promise in ALL {
        let weight = format!("{:?}", promise.level).to_lowercase();
        let advice = promise.advice.replace('|', "\\|");
        let Promise {
            id, title, source, ..
        } = promise;
        page += &[
            "| `", id, "` ", title, " | ", &weight, " | ", source, " | ", &advice, " |\n",
        ]
        .concat();
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_promise_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = ALL.iter().map(|promise| promise.id).collect();

        assert_eq!(names.len(), ALL.len());
    }

    /// `UPDATE_DOCS=1` writes the table anew.
    #[test]
    fn the_documentation_has_every_promise() {
        const BEGIN: &str = "<!-- made from the catalogue -->\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/check.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (before, table) = text.split_once(BEGIN).unwrap();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, format!("{before}{BEGIN}{}", page())).unwrap();
            return;
        }

        assert_eq!(
            table,
            page(),
            "docs/check.md is out of date: run this test with UPDATE_DOCS=1"
        );
    }
}
