//! An entry of a directory, and what its attributes mean.

use std::collections::HashMap;

use ldap3::SearchEntry;
use serde_json::{Map, Value};

/// What LDAP calls an attribute of people (RFC 4519, RFC 2798, and Active Directory's own), and the name of the column that it is. Of several
/// with a column, the first that an entry has counts.
pub(super) const OF_PEOPLE: [(&str, &str); 27] = [
    ("displayName", "displayName"),
    ("cn", "displayName"),
    ("givenName", "givenName"),
    ("middleName", "middleName"),
    ("sn", "surname"),
    ("mail", "mail"),
    ("telephoneNumber", "telephoneNumber"),
    ("mobile", "mobile"),
    ("facsimileTelephoneNumber", "facsimileTelephoneNumber"),
    ("title", "jobTitle"),
    ("department", "department"),
    ("departmentNumber", "department"),
    ("ou", "department"),
    ("division", "division"),
    ("company", "companyName"),
    ("o", "companyName"),
    ("employeeID", "employeeId"),
    ("employeeNumber", "employeeId"),
    ("employeeType", "userType"),
    ("physicalDeliveryOfficeName", "physicalDeliveryOfficeName"),
    ("streetAddress", "streetAddress"),
    ("street", "streetAddress"),
    ("l", "city"),
    ("st", "state"),
    ("postalCode", "postalCode"),
    ("c", "country"),
    ("preferredLanguage", "preferredLanguage"),
];
/// Likewise of groups.
pub(super) const OF_GROUPS: [(&str, &str); 3] = [
    ("cn", "displayName"),
    ("displayName", "displayName"),
    ("description", "description"),
];
/// Where the userName is, unless the job says where; the first that an entry has counts.
pub(super) const USER_NAMES: [&str; 4] = ["userPrincipalName", "uid", "sAMAccountName", "mail"];
/// By what an entry is known for good, also when it is moved or renamed: of RFC 4530, Active Directory, 389, FreeIPA, eDirectory.
pub(super) const KEYS: [&str; 5] = [
    "entryUUID",
    "objectGUID",
    "nsUniqueId",
    "ipaUniqueID",
    "GUID",
];
/// What says that somebody may not sign in.
pub(super) const LOCKS: [&str; 4] = [
    "userAccountControl",
    "nsAccountLock",
    "loginDisabled",
    "pwdAccountLockedTime",
];
/// Where the members of a group are, by their distinguished names.
pub(super) const MEMBERS: [&str; 2] = ["member", "uniqueMember"];
/// Where they are by `uid` (RFC 2307).
pub(super) const MEMBER_UIDS: &str = "memberUid";
/// The account is switched off, in `userAccountControl`.
const DISABLED: i64 = 2;

/// An entry, its attributes by their names in small letters.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) dn: String,
    values: HashMap<String, Vec<Vec<u8>>>,
    /// Attributes of which the server shows a part at a time, with the number of the next value.
    pub(super) partial: Vec<(String, usize)>,
}

impl Entry {
    pub(super) fn of(entry: SearchEntry) -> Self {
        let mut known = Self {
            dn: entry.dn,
            ..Self::default()
        };
        let texts = entry.attrs.into_iter().map(|(name, values)| {
            let values = values.into_iter().map(String::into_bytes).collect();
            (name, values)
        });
        for (name, values) in texts.chain(entry.bin_attrs) {
            known.take(&name, values);
        }
        known
    }

    /// Takes values of an attribute; tells which value comes next, when the server has more of them.
    pub(super) fn take(&mut self, description: &str, mut values: Vec<Vec<u8>>) {
        let (name, next) = range(description);
        if values.is_empty() && next.is_none() {
            return;
        }
        let name = name.to_ascii_lowercase();
        self.values
            .entry(name.clone())
            .or_default()
            .append(&mut values);
        self.partial.extend(next.map(|next| (name, next)));
    }

    fn bytes(&self, name: &str) -> &[Vec<u8>] {
        self.values
            .get(&name.to_ascii_lowercase())
            .map_or(&[], Vec::as_slice)
    }

    /// Returns the values of an attribute that are texts.
    pub(super) fn texts<'e>(&'e self, name: &str) -> impl Iterator<Item = &'e str> {
        let texts = self.bytes(name).iter();
        let texts = texts.filter_map(|value| std::str::from_utf8(value).ok());
        texts.filter(|text| !text.trim().is_empty())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).next()
    }

    /// Returns by what the entry is known: the value of this attribute; absent: of the first of [`KEYS`], else its name.
    pub(super) fn key(&self, attribute: Option<&str>) -> Option<String> {
        let of = |name: &str| {
            let value = self.bytes(name).first()?;
            // sixteen bytes are sixteen bytes, also when they could be read as a text
            if matches!(name, "objectGUID" | "GUID") && value.len() == 16 {
                return Some(guid(value, name == "objectGUID"));
            }
            std::str::from_utf8(value).ok().map(str::to_owned)
        };
        match attribute {
            Some(name) => of(name),
            None => KEYS
                .iter()
                .find_map(|name| of(name))
                .or_else(|| Some(super::name::canonical(&self.dn))),
        }
    }

    /// Tells whether somebody may sign in, as far as the directory says.
    pub(super) fn is_active(&self) -> bool {
        let control = self.text("userAccountControl");
        let is_disabled = control
            .and_then(|control| control.parse::<i64>().ok())
            .is_some_and(|control| control & DISABLED != 0);
        let is_true = |name| {
            self.text(name)
                .is_some_and(|text| text.eq_ignore_ascii_case("true"))
        };
        // the one time that is none: locked until somebody unlocks it
        let is_locked = self
            .text("pwdAccountLockedTime")
            .is_some_and(|time| time.starts_with("00000101"));
        !(is_disabled || is_true("nsAccountLock") || is_true("loginDisabled") || is_locked)
    }

    /// Returns the values of the attributes in a table, by the names of columns.
    pub(super) fn columns(&self, table: &[(&str, &str)]) -> Vec<(String, Value)> {
        let found = table.iter().filter_map(|(theirs, ours)| {
            let text = self.text(theirs)?;
            Some(((*ours).to_owned(), text.into()))
        });
        found.collect()
    }

    /// Returns these attributes under their own names; several values are a list.
    pub(super) fn own(&self, names: &[String]) -> Map<String, Value> {
        let mut own = Map::new();
        for name in names {
            let mut values: Vec<Value> = self.texts(name).map(Value::from).collect();
            let value = match values.len() {
                0 => continue,
                1 => values.swap_remove(0),
                _ => Value::Array(values),
            };
            own.insert(name.clone(), value);
        }
        own
    }
}

/// Takes the description of an attribute apart: its name, and the number of the next value when the server has more (Active Directory's
/// `member;range=0-1499`). Other options, such as a language, make another attribute, which nobody asked for.
fn range(description: &str) -> (&str, Option<usize>) {
    let Some((name, options)) = description.split_once(';') else {
        return (description, None);
    };
    let last = options
        .split(';')
        .find_map(|option| option.strip_prefix("range=")?.split_once('-'));
    match last {
        Some((_, last)) => (name, last.parse().ok().map(|last: usize| last + 1)),
        None => (description, None),
    }
}

/// Writes a GUID; the first three fields of Active Directory's have their bytes the other way round.
fn guid(bytes: &[u8], is_turned: bool) -> String {
    const TURNED: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::with_capacity(36);
    for (place, turned) in TURNED.into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let from = if is_turned { turned } else { place };
        let byte = bytes.get(from).copied().unwrap_or_default();
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(half), 16));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attributes: &[(&str, &[&str])]) -> Entry {
        let mut entry = Entry {
            dn: "CN=Ann, dc=x".to_owned(),
            ..Entry::default()
        };
        for (name, values) in attributes {
            let values = values.iter().map(|value| value.as_bytes().to_vec());
            entry.take(name, values.collect());
        }
        entry
    }

    #[test]
    fn a_guid_is_written_as_its_directory_writes_it() {
        let bytes: Vec<u8> = (0..16).collect();
        let mut ann = entry(&[]);
        ann.take("objectGUID", vec![bytes]);

        assert_eq!(
            ann.key(None).unwrap(),
            "03020100-0504-0706-0809-0a0b0c0d0e0f"
        );
        assert_eq!(entry(&[]).key(None).unwrap(), "cn=ann,dc=x");
        assert_eq!(entry(&[]).key(Some("employeeNumber")), None);
        assert_eq!(
            entry(&[("employeeNumber", &["7"])]).key(Some("employeeNumber")),
            Some("7".to_owned())
        );
    }

    #[test]
    fn who_is_switched_off_is_so_in_every_directory() {
        let rows: [(&str, &str, bool); 8] = [
            ("userAccountControl", "512", true),
            ("userAccountControl", "514", false),
            ("userAccountControl", "66050", false),
            ("nsAccountLock", "TRUE", false),
            ("nsAccountLock", "false", true),
            ("loginDisabled", "TRUE", false),
            ("pwdAccountLockedTime", "000001010000Z", false),
            ("pwdAccountLockedTime", "20260101120000Z", true),
        ];
        for (name, value, is_active) in rows {
            assert_eq!(entry(&[(name, &[value])]).is_active(), is_active, "{name}");
        }
    }

    #[test]
    fn many_values_come_in_parts() {
        let mut group = entry(&[("member;range=0-1", &["a", "b"]), ("member", &[])]);

        assert_eq!(group.partial, [("member".to_owned(), 2)]);
        group.partial.clear();
        group.take("member;range=2-*", vec![b"c".to_vec()]);
        assert!(group.partial.is_empty());
        assert_eq!(group.texts("MEMBER").collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn the_first_attribute_of_a_column_counts_and_a_language_is_another_attribute() {
        let ann = entry(&[
            ("cn;lang-ja", &["アン"]),
            ("cn", &["Ann A"]),
            ("uid", &["ann", "ann2"]),
        ]);

        let columns = ann.columns(&OF_PEOPLE);
        assert_eq!(columns, [("displayName".to_owned(), "Ann A".into())]);
        let own = ann.own(&["uid".to_owned(), "none".to_owned()]);
        assert_eq!(
            Value::Object(own),
            serde_json::json!({"uid": ["ann", "ann2"]})
        );
    }
}
