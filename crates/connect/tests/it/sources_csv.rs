//! CSV files as a source: whose columns are understood, what is refused, and what counts as all.

use rollcall_connect::sources::{Completeness, Pointer};
use rollcall_model::Kind;
use serde_json::json;

use crate::sources_support::{read_files, read_people};

/// Places and reasons of mistakes.
type Expected = &'static [(&'static str, &'static str)];

#[tokio::test]
async fn an_export_of_the_source_directory_is_understood_as_it_is() {
    let text = "\u{feff}userPrincipalName,displayName,surname,mail,givenName,objectId,userType,jobTitle,department,accountEnabled,\
        usageLocation,streetAddress,state,country,physicalDeliveryOfficeName,city,postalCode,telephoneNumber,mobile,\
        employeeId,companyName,mailNickname,preferredLanguage,facsimileTelephoneNumber,extensionAttribute7\r\n\
        ann@example.com,Ann Lee,Lee,ann@example.com,Ann,8aa1,Member,\"Buyer, senior\",Sales,False,\
        NO,Karl Johans gate 1,Oslo,Norway,4/12,Oslo,0154,+47 1,+47 2,77,Northwind,annl,nb-NO,+47 3,blue\r\n";

    let reading = read_people(text).await.unwrap();

    assert_eq!(reading.completeness, Completeness::Complete);
    let record = &reading.records[0];
    assert_eq!(
        (record.key.as_str(), record.place.as_str()),
        ("8aa1", "people.csv, line 2")
    );
    let attributes = json!({"objectId": "8aa1", "usageLocation": "NO", "mailNickname": "annl", "extensionAttribute7": "blue"});
    assert_eq!(json!(record.attributes), attributes);
    insta::assert_json_snapshot!(record.body);
}

#[tokio::test]
async fn delimiters_quotes_and_blank_cells_are_read_as_spreadsheets_write_them() {
    for text in [
        "userName,active,title\nann,,\"a\nb\"\nbob,false,\"say \"\"x\"\"\"\n",
        "userName;active;title\r\nann;;\"a\nb\"\r\n;;\r\nbob;False;\"say \"\"x\"\"\"",
        "userName\tactive\ttitle\nann\t\t\"a\nb\"\n\nbob\tFALSE\t\"say \"\"x\"\"\"\n",
    ] {
        let reading = read_people(text).await.unwrap();

        let bodies: Vec<_> = reading
            .records
            .iter()
            .map(|record| {
                (
                    &record.body["active"],
                    record.body["title"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            bodies,
            [(&json!(true), "a\nb"), (&json!(false), "say \"x\"")],
            "{text}"
        );
        assert_eq!(reading.keys(), ["ann", "bob"], "{text}");
    }
}

#[tokio::test]
async fn people_come_before_groups_and_refer_to_each_other_by_key_or_name() {
    let groups =
        "displayName,members,description\nSales,u1; BOB@example.com ;All,Sells\nAll,Sales,\n";
    let people = "id,userName,manager\nu1,Ann@example.com,\nu2,bob@example.com,u1\n,cy@example.com,bob@example.com\n";
    let files: [(Kind, &str, &[u8]); 2] = [
        (Kind::Group, "groups.csv", groups.as_bytes()),
        (Kind::User, "people.csv", people.as_bytes()),
    ];

    let reading = read_files(&files).await.unwrap();

    assert_eq!(
        reading.keys(),
        ["u1", "u2", "cy@example.com", "sales", "all"]
    );
    let managers: Vec<_> = reading
        .records
        .iter()
        .map(|record| record.manager.clone())
        .collect();
    let name = |text: &str| Pointer::Name(text.to_owned());
    let key = |text: &str| Pointer::Key(text.to_owned());
    assert_eq!(
        managers[1..3],
        [Some(key("u1")), Some(name("bob@example.com"))]
    );
    assert_eq!(
        reading.records[3].members,
        [key("u1"), name("BOB@example.com"), name("All")]
    );
    assert_eq!(
        json!(reading.records[3].attributes),
        json!({"description": "Sells"})
    );
}

#[tokio::test]
async fn a_text_of_the_wrong_form_is_refused_with_every_mistake() {
    let people = |text: &'static str| text.as_bytes();
    let rows: [(&[u8], Expected); 9] = [
        (
            people("ann@example.com,Ann\nbob,Bob\n"),
            &[
                ("line 1", "a name of your own"),
                ("line 1", "no column `userName`"),
            ],
        ),
        (
            people("displayName\nAnn\n"),
            &[("line 1", "no column `userName` or `userPrincipalName`")],
        ),
        (
            people("userName,mail,email,userPrincipalName\n"),
            &[
                ("line 1", "`mail` and `email` hold the same"),
                ("line 1", "`userName` and `userPrincipalName`"),
            ],
        ),
        (
            people("userName,,groups,emails[type\n"),
            &[
                ("line 1", "no name"),
                ("line 1", "nobody can write"),
                ("line 1", "a SCIM attribute"),
            ],
        ),
        (
            people("userName,title\nann,Lee, Ann\nbob\ncy,x\n"),
            &[("line 2", "3 cells, the header 2"), ("line 3", "1 cells")],
        ),
        (
            people("userName,id\nann,1\nbob,2\nANN,3\ncy,2\n"),
            &[
                ("line 4", "`ann` is that of people.csv, line 2"),
                ("line 5", "the id `2` is that of people.csv, line 3"),
            ],
        ),
        (
            people("userName,title\nann,x\nbob,\"Buy\ner"),
            &[("line 3", "ends in the middle")],
        ),
        (b"userName\nann\nb\xF6b\n", &[("line 3", "not UTF-8")]),
        (b"PK\x03\x04....", &[("line 1", "spreadsheet")]),
    ];
    for (text, expected) in rows {
        let shown = String::from_utf8_lossy(text);
        let unread = read_files(&[(Kind::User, "people.csv", text)])
            .await
            .unwrap_err();

        assert!(!unread.is_out_of_reach, "{shown}");
        assert_eq!(
            unread.mistakes.len(),
            expected.len(),
            "{shown}: {unread:#?}"
        );
        for (mistake, (place, reason)) in unread.mistakes.iter().zip(expected) {
            assert!(mistake.place.ends_with(place), "{shown}: {mistake:?}");
            assert!(mistake.reason.contains(reason), "{shown}: {mistake:?}");
        }
    }
}

#[tokio::test]
async fn a_value_that_scim_does_not_accept_refuses_its_record_alone() {
    let reading = read_people("userName,active\nann,maybe\nbob,true\n")
        .await
        .unwrap();

    assert_eq!(reading.keys(), ["bob"]);
    let refusal = &reading.refusals[0];
    assert_eq!(
        (refusal.place.as_str(), refusal.key.as_deref()),
        ("people.csv, line 2", Some("ann"))
    );
    assert!(refusal.reason.contains("active"), "{refusal:?}");
    assert_eq!(reading.completeness, Completeness::Complete);
}

#[tokio::test]
async fn what_does_not_tell_everybody_is_incomplete() {
    for (text, reason) in [
        ("", "people.csv is empty"),
        ("\u{feff}\n", "people.csv is empty"),
        ("userName,title\n", "people.csv is empty"),
        (
            "userName,title\nann,x\n,y\n",
            "people.csv, line 3 does not say who it is",
        ),
    ] {
        let reading = read_people(text).await.unwrap();

        assert_eq!(reading.reason(), reason, "{text}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_out_of_reach() {
    let path = std::path::PathBuf::from("/nowhere/people.csv");
    let registry = rollcall_scim::schema::Registry::standard();
    let limits = rollcall_scim::limits::STANDARD;
    let mut files =
        rollcall_connect::sources::files::Files::new(vec![(Kind::User, path)], registry, limits);

    let unread = crate::sources_support::read(&mut files).await.unwrap_err();

    assert!(
        unread.is_out_of_reach && unread.message.contains("/nowhere/people.csv"),
        "{unread:?}"
    );
}

#[tokio::test]
async fn a_long_list_comes_in_parts() {
    let rows: Vec<String> = (0..1_200).map(|number| format!("user{number}\n")).collect();

    let reading = read_people(&format!("userName\n{}", rows.concat()))
        .await
        .unwrap();

    assert_eq!(reading.records.len(), 1_200);
}

#[tokio::test]
async fn a_file_has_a_bounded_number_of_columns() {
    let file = |columns: usize| {
        let names = (1..columns).map(|number| format!(",extensionAttribute{number}"));
        format!(
            "userName{}\nann{}\n",
            names.collect::<String>(),
            ",".repeat(columns - 1)
        )
    };

    assert!(read_people(&file(1_000)).await.is_ok());
    let unread = read_people(&file(1_001)).await.unwrap_err();

    assert_eq!(unread.mistakes.len(), 1);
    let reason = &unread.mistakes[0].reason;
    assert!(reason.contains("names 1001 columns"), "{reason}");
}
