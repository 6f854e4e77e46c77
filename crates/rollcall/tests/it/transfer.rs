//! People and groups in and out by files.

use serde_json::json;

use crate::support::Installation;

#[test]
fn what_was_imported_is_exported_and_imports_again_without_a_change() {
    let (installation, _) = Installation::with("northwind");
    installation.ok(&["org", "create", "copy", "--name", "Copy"]);
    let at = |name: &str| {
        installation
            .folder
            .path()
            .join(name)
            .to_str()
            .unwrap()
            .to_owned()
    };
    std::fs::write(
        at("people.csv"),
        "userName,displayName,name.givenName,name.familyName,email,title,department,manager,active\n\
         ann@example.com,Ann Lee,Ann,Lee,ann@example.com,\"Buyer, senior\",Purchasing,,true\n\
         bob@example.com,Bob Ray,Bob,Ray,bob@example.com,Clerk,Purchasing,ann@example.com,false\n",
    )
    .unwrap();
    std::fs::write(
        at("groups.csv"),
        "displayName,members\nPurchasing,ann@example.com;bob@example.com\nAll,Purchasing\n",
    )
    .unwrap();
    let import = |org: &str, users: &str, groups: Option<&str>| -> serde_json::Value {
        let mut arguments = vec!["import", "--org", org, "--users", users, "--json"];
        arguments.extend(groups.into_iter().flat_map(|groups| ["--groups", groups]));
        serde_json::from_str(&installation.ok(&arguments)).unwrap()
    };

    let first = import("northwind", &at("people.csv"), Some(&at("groups.csv")));
    assert_eq!(
        (&first["created"], &first["memberships"]),
        (&4.into(), &3.into()),
        "{first}"
    );
    let again = import("northwind", &at("people.csv"), Some(&at("groups.csv")));
    assert_eq!(
        (&again["created"], &again["unchanged"]),
        (&0.into(), &4.into()),
        "{again}"
    );

    let exported = installation.ok(&["export", "--org", "northwind"]);
    assert_eq!(exported.lines().count(), 4);
    std::fs::write(at("all.jsonl"), &exported).unwrap();
    let copied = import("copy", &at("all.jsonl"), None);
    assert_eq!(
        (&copied["created"], &copied["memberships"]),
        (&4.into(), &3.into()),
        "{copied}"
    );
    let strip = |text: &str| -> Vec<String> {
        let mut lines: Vec<String> = text
            .lines()
            .map(|line| {
                let resource: serde_json::Value = serde_json::from_str(line).unwrap();
                let name = resource.get("userName").or_else(|| resource.get("displayName"));
                let members = resource["members"].as_array().map_or(0, Vec::len);
                let manager = resource["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"].is_object();
                format!("{} {} {members} {manager} {}", name.unwrap(), resource["title"], resource["active"])
            })
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(
        strip(&installation.ok(&["export", "--org", "copy"])),
        strip(&exported)
    );
}

#[test]
fn tables_are_imported_again_without_a_change_and_hold_no_formula() {
    let (installation, _) = Installation::with("northwind");
    installation.ok(&["org", "create", "copy", "--name", "Copy"]);
    let folder = installation.folder.path();
    std::fs::write(
        folder.join("people.csv"),
        "userName,displayName,givenName,email,phone,title,city,department,manager,active\n\
         ann@example.com,\"Lee, Ann\",Ann,ann@example.com,'+47 555 0100,=1+1,Oslo,Purchasing,,true\n\
         bob@example.com,Bob,Bob,bob@example.com,,Clerk,,,ann@example.com,false\n",
    )
    .unwrap();
    std::fs::write(
        folder.join("groups.csv"),
        "displayName,members\nPurchasing,ann@example.com;bob@example.com\nAll,Purchasing\n",
    )
    .unwrap();
    let import = |org: &str| -> serde_json::Value {
        let files = ["--users", "people.csv", "--groups", "groups.csv"];
        let arguments = [&["import", "--org", org, "--json"][..], &files].concat();
        serde_json::from_str(&installation.ok(&arguments)).unwrap()
    };
    import("northwind");
    let export = |org: &str, what: &str| installation.ok(&["export", "--org", org, "--csv", what]);

    let (people, groups) = (export("northwind", "users"), export("northwind", "groups"));
    assert_eq!(people.lines().count(), 3, "{people}");
    assert!(
        people.starts_with("id,userName,externalId,active,"),
        "{people}"
    );
    for part in [
        "\"Lee, Ann\"",
        ",'+47 555 0100,",
        ",'=1+1,",
        ",Oslo,",
        ",Purchasing,",
    ] {
        assert!(people.contains(part), "{part}: {people}");
    }
    std::fs::write(folder.join("people.csv"), &people).unwrap();
    std::fs::write(folder.join("groups.csv"), &groups).unwrap();
    let again = import("northwind");
    assert_eq!(
        (&again["unchanged"], &again["memberships"]),
        (&4.into(), &0.into()),
        "{again}"
    );
    let copied = import("copy");
    assert_eq!(
        (&copied["created"], &copied["memberships"]),
        (&4.into(), &3.into()),
        "{copied}"
    );

    // without the ids, which are each organisation's own
    let plain = |table: &str| {
        let rows = table
            .lines()
            .map(|row| row.split_once(',').unwrap().1.to_owned());
        let mut rows: Vec<String> = rows
            .map(|row| row.rsplit_once(',').unwrap().0.to_owned())
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(plain(&export("copy", "users")), plain(&people));
    let past = installation.ok(&["export", "--org", "copy", "--csv", "groups", "--at", "1"]);
    assert_eq!(past.lines().count(), 1, "{past}");
}

#[test]
fn a_table_leaves_what_it_has_no_room_for_and_what_is_no_text_comes_back_whole() {
    let (installation, _) = Installation::with("northwind");
    let folder = installation.folder.path();
    let ann = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ann@example.com",
        "displayName": "\u{1b}[0m=HYPERLINK(\"http://x\")\u{7f}",
        "emails": [
            {"type": "work", "value": "ann@example.com", "primary": true},
            {"type": "home", "value": "ann@home.example"},
        ],
        "phoneNumbers": [
            {"type": "work", "value": "1"}, {"type": "home", "value": "2"},
            {"type": "pager", "value": "3"},
        ],
        "addresses": [
            {"type": "work", "locality": "Oslo", "country": "NO"},
            {"type": "home", "locality": "Bergen"},
        ],
        "roles": [{"value": "buyer"}, {"value": "clerk"}],
    });
    std::fs::write(folder.join("ann.jsonl"), ann.to_string()).unwrap();
    let import = |file: &str| -> serde_json::Value {
        let arguments = ["import", "--org", "northwind", "--json", "--users", file];
        serde_json::from_str(&installation.ok(&arguments)).unwrap()
    };
    let there = || -> serde_json::Value {
        let exported = installation.ok(&["export", "--org", "northwind"]);
        serde_json::from_str(&exported).unwrap()
    };
    assert_eq!(import("ann.jsonl")["created"], 1);
    let before = there();
    assert_eq!(before["displayName"], ann["displayName"]);

    let table = installation.ok(&["export", "--org", "northwind", "--csv", "users"]);
    std::fs::write(folder.join("people.csv"), &table).unwrap();
    assert!(table.contains(",\"'\u{1b}[0m=HYPERLINK("), "{table:?}");
    assert_eq!(import("people.csv")["unchanged"], 1);
    assert_eq!(there(), before);

    let row = "userName,email,phone,city\nann@example.com,lee@example.com,9,Moss\n";
    std::fs::write(folder.join("row.csv"), row).unwrap();
    assert_eq!(import("row.csv")["updated"], 1);
    let mut expected = ann.clone();
    expected["emails"][0]["value"] = json!("lee@example.com");
    expected["phoneNumbers"][0]["value"] = json!("9");
    expected["addresses"][0]["locality"] = json!("Moss");
    let after = there();
    for name in [
        "emails",
        "phoneNumbers",
        "addresses",
        "roles",
        "displayName",
    ] {
        assert_eq!(after[name], expected[name], "{name}");
    }
}

#[test]
fn a_wrong_group_is_sought_in_the_file_that_it_is_in() {
    let (installation, _) = Installation::with("northwind");
    let folder = installation.folder.path();
    let lines = [
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann"}),
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Sales",
            "meta": {"resourceType": "Group"}, "members": [{"value": "nobody"}],
        }),
    ];
    let [ann, sales] = lines;
    std::fs::write(folder.join("all.jsonl"), format!("{ann}\n{sales}\n")).unwrap();
    std::fs::write(folder.join("groups.csv"), "displayName\nAll\n").unwrap();
    let files = ["--users", "all.jsonl", "--groups", "groups.csv"];

    let output = installation.run(&[&["import", "--org", "northwind"][..], &files].concat());

    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("all.jsonl:2: its member `nobody`"), "{said}");
}

#[test]
fn a_wrong_line_is_named_and_nothing_is_imported() {
    let (installation, _) = Installation::with("northwind");
    let path = installation.folder.path().join("people.csv");
    std::fs::write(
        &path,
        "userName,active\nann,true\nbob,perhaps\n,true\nann,true\n",
    )
    .unwrap();

    let output = installation.run(&[
        "import",
        "--org",
        "northwind",
        "--users",
        path.to_str().unwrap(),
    ]);

    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("people.csv:3") && said.contains("people.csv:4"),
        "{said}"
    );
    assert_eq!(installation.ok(&["export", "--org", "northwind"]), "");
}
