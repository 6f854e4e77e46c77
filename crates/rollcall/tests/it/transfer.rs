//! People and groups in and out by files.

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
