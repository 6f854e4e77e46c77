//! What is done with documents from anywhere: the fuzz target runs it, and a test runs it again on the committed corpus.

use rollcall_model::mapping::defaults;
use rollcall_sync::schema::{read, write};

/// A synchronization schema is refused with mistakes that say what to do, or is written again as it was read. Its mappings survive without
/// it, and whatever it is, mappings can be written into it.
pub(super) fn schema(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(document) = serde_json::from_str(text) {
        drop(write(
            Some(&document),
            &defaults::users(),
            &defaults::groups(),
        ));
    }
    let imported = match read(text) {
        Ok(imported) => imported,
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for mistake in mistakes {
                assert!(!mistake.message.is_empty() && !mistake.help.is_empty());
            }
            return;
        }
    };
    let groups = imported.groups_or_none();
    let written = write(Some(&imported.document), &imported.users, &groups);
    // as text, because the order counts
    assert_eq!(written.to_string(), imported.document.to_string());
    if imported.users.target.eq_ignore_ascii_case(&groups.target) {
        return;
    }
    let fresh = write(None, &imported.users, &groups).to_string();
    let again = read(&fresh).unwrap_or_else(|mistakes| panic!("{mistakes:?}: {fresh}"));
    assert_eq!(again.users, imported.users);
    assert_eq!(again.groups, Some(groups));
}
