//! JSON lines as a source.

use rollcall_connect::sources::{Completeness, Pointer, SourceRecord};
use rollcall_model::Kind;
use rollcall_scim::limits::STANDARD;
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::Registry;

use crate::sources_support::read_files;

#[tokio::test]
async fn an_export_of_both_kinds_is_read_people_first() {
    let text = concat!(
        r#"{"id":"g1","displayName":"Sales","members":[{"value":"u1"},{"$ref":"../Users/u2"}],"meta":{"resourceType":"Group"}}"#,
        "\n\n",
        r#"{"id":"u1","userName":"ann","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales","manager":{"value":"u2"}}}"#,
        "\n",
        r#"{"id":"u2","userName":"bob","active":"maybe"}"#,
    );

    let reading = read_files(&[(Kind::User, "all.jsonl", text.as_bytes())])
        .await
        .unwrap();

    assert_eq!(reading.completeness, Completeness::Complete);
    assert_eq!(reading.keys(), ["u1", "g1"]);
    let key = |text: &str| Pointer::Key(text.to_owned());
    assert_eq!(reading.records[0].manager, Some(key("u2")));
    assert_eq!(reading.records[1].members, [key("u1"), key("u2")]);
    assert_eq!(reading.records[1].body.get("members"), None);
    assert_eq!(reading.refusals[0].key.as_deref(), Some("u2"));
}

#[tokio::test]
async fn a_file_that_is_cut_off_or_malformed_is_refused() {
    for (text, place, reason) in [
        (
            "{\"userName\":\"ann\"}\n{\"userName\":\"bo",
            "line 2",
            "ends in the middle",
        ),
        ("{\"userName\":\"ann\"}\n[]\n", "line 2", "one JSON object"),
        ("{\"userName\":\"ann\",}\n", "line 1", "trailing comma"),
        (
            "{\"userName\":\"ann\"}\n{\"userName\":\"Ann\"}\n",
            "line 2",
            "is that of all.jsonl, line 1",
        ),
    ] {
        let unread = read_files(&[(Kind::User, "all.jsonl", text.as_bytes())])
            .await
            .unwrap_err();

        let [mistake] = &unread.mistakes[..] else {
            panic!("{text}: {unread:?}");
        };
        assert!(
            mistake.place.ends_with(place) && mistake.reason.contains(reason),
            "{text}: {mistake:?}"
        );
    }
}

#[tokio::test]
async fn who_is_in_the_list_is_active_unless_it_says_otherwise() {
    let text = concat!(
        "{\"userName\":\"a\"}\n{\"userName\":\"b\",\"Active\":false}\n",
        "{\"userName\":\"c\",\"active\":null}\n{\"userName\":\"d\",\"active\":\"False\"}\n",
    );

    let reading = read_files(&[(Kind::User, "all.jsonl", text.as_bytes())])
        .await
        .unwrap();

    let registry = Registry::standard();
    let is_active = |record: &SourceRecord| {
        let person = Resource::from_request(registry.user(), record.body.clone(), &STANDARD);
        person.unwrap().is_active()
    };
    let active: Vec<bool> = reading.records.iter().map(is_active).collect();
    assert_eq!(active, [true, false, true, false]);
}

/// What one request may hold is too little for a file: a group of so many members, as it is exported, is read again.
#[tokio::test]
async fn a_large_group_is_one_line() {
    const MEMBERS: usize = 340_000;
    let member = r#"{"value":"u1"}"#;
    let members = vec![member; MEMBERS].join(",");
    let text = format!(
        "{{\"userName\":\"u1\"}}\n{{\"displayName\":\"All\",\"members\":[{members}],\"meta\":{{\"resourceType\":\"Group\"}}}}\n"
    );

    let reading = read_files(&[(Kind::User, "all.jsonl", text.as_bytes())])
        .await
        .unwrap();

    assert_eq!(reading.keys(), ["u1", "all"]);
    assert_eq!(reading.records[1].members.len(), MEMBERS);
}
