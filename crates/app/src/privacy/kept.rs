//! Where something about people lies: what is known of every table of the store.
//!
//! A new table has to be added here, and what it keeps about people to [`super::dossier`] and to the erasure.

/// What a table keeps about people, and what an erasure does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing but, at most, ids.
    Nothing,
    /// Rows under the id of a person: they go.
    Rows,
    /// Entries whose places stay: document, detail and address go.
    Entries,
    /// Texts that may tell of a person: whatever does so goes.
    Texts,
    /// People who administer the organisation. They are not people of its directory (decision 3), and are removed by themselves.
    Administrators,
}

/// Every table, in the order of the store.
pub const KEPT: &[(&str, Keeps)] = &[
    ("installation_secrets", Keeps::Nothing),
    ("organisations", Keeps::Nothing),
    ("resources", Keeps::Rows),
    ("emails", Keeps::Rows),
    ("members", Keeps::Rows),
    ("tombstones", Keeps::Rows),
    ("changes", Keeps::Entries),
    ("audit", Keeps::Entries),
    ("tallies", Keeps::Nothing),
    ("integrations", Keeps::Nothing),
    ("tokens", Keeps::Nothing),
    ("api_keys", Keeps::Nothing),
    ("administrators", Keeps::Administrators),
    ("sign_in_links", Keeps::Administrators),
    ("sessions", Keeps::Administrators),
    ("second_factors", Keeps::Administrators),
    ("recovery_codes", Keeps::Administrators),
    ("exchanges", Keeps::Texts),
    ("traffic", Keeps::Nothing),
    ("mail", Keeps::Texts),
    ("data_keys", Keeps::Nothing),
    ("activations", Keeps::Rows),
    // the state of the job may name who differs
    ("applications", Keeps::Texts),
    ("webhooks", Keeps::Nothing),
    // events hold the ids of people, and no values
    ("webhook_deliveries", Keeps::Nothing),
    ("assignments", Keeps::Rows),
    ("links", Keeps::Rows),
    ("exported_members", Keeps::Rows),
    ("provisioning_log", Keeps::Texts),
    ("cycles", Keeps::Texts),
    ("plans", Keeps::Texts),
    ("plan_pages", Keeps::Texts),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_every_table_is_said_what_it_keeps_about_people() {
        let said: Vec<&str> = KEPT.iter().map(|(table, _)| *table).collect();

        assert_eq!(said, rollcall_store::tables().collect::<Vec<_>>());
    }
}
