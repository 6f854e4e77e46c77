//! Settings, mappings, attribute lists, filters and credentials by command, and what is said of wrong ones.

use serde_json::{Value, json};

use super::{House, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_changed_one_by_one() {
    let house = House::new().await;
    house.ok(&["create", "Vault"]);
    house.ok(&[
        "set",
        "Vault",
        "--scope",
        "all",
        "--nested",
        "flatten",
        "--leaving",
        "delete",
        "--max-deletions",
        "7",
        "--max-deletions-percent",
        "20",
        "--drift-every",
        "24h",
        "--drift-repair",
        "yes",
        "--notify",
        "ann@example.com",
        "--groups",
        "off",
        "--delete",
        "no",
        "--kind",
        "group",
    ]);
    let set = house.json(&["show", "Vault"], 0)["application"].clone();
    assert_eq!(set["scope"], "all");
    assert_eq!(
        set["settings"],
        json!({
            "maxDeletions": 7, "maxDeletionsPercent": 20, "leaving": "delete", "nestedGroups": "flatten",
            "drift": {"everyHours": 24, "repair": true},
        })
    );
    assert_eq!(set["notification_email"], "ann@example.com");
    assert_eq!(set["groups"]["enabled"], false);
    assert_eq!(set["groups"]["actions"]["delete"], false);
    assert_eq!(set["users"]["actions"]["delete"], true);
    house.ok(&[
        "set",
        "Vault",
        "--max-deletions",
        "default",
        "--drift-every",
        "never",
        "--notify",
        "nobody",
    ]);
    let set = house.json(&["show", "Vault"], 0)["application"].clone();
    assert_eq!(set["settings"]["maxDeletions"], Value::Null);
    assert_eq!(
        set["settings"]["maxDeletionsPercent"], 20,
        "not named: stays"
    );
    assert_eq!(set["settings"]["drift"], Value::Null);
    assert_eq!(set["notification_email"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mappings_attributes_and_filters_are_changed_one_by_one() {
    let house = House::new().await;
    house.ok(&["create", "Vault"]);
    house.ok(&["set", "Vault", "--scope", "all", "--groups", "off"]);

    // what is not named stays: the mapping still matches
    let mapping = house.json(
        &[
            "mapping",
            "set",
            "Vault",
            "userName",
            "--expression",
            "ToLower([userPrincipalName], )",
        ],
        0,
    );
    assert_eq!(mapping["matching"], 1);
    house.ok(&[
        "mapping",
        "set",
        "Vault",
        "title",
        "--none",
        "--default",
        "Colleague",
        "--apply",
        "on-create",
        "--nulls",
        "clear",
    ]);
    let listed = house.ok(&["mapping", "list", "Vault", "--kind", "user"]);
    assert!(
        listed.contains("= ToLower([userPrincipalName], )")
            && listed.contains("default \"Colleague\", on creation only, a null clears"),
        "{listed}"
    );
    house.ok(&["mapping", "remove", "Vault", "title"]);
    assert!(
        !house
            .ok(&["mapping", "list", "Vault"])
            .contains("Colleague")
    );

    house.ok(&[
        "attribute",
        "set",
        "Vault",
        "costs",
        "--type",
        "integer",
        "--required",
        "yes",
        "--references",
        "User, Group",
    ]);
    let listed = house.ok(&["attribute", "list", "Vault", "--kind", "user"]);
    let line = listed.lines().find(|line| line.contains("costs")).unwrap();
    assert!(
        line.contains("Integer") && line.contains("required, of User or Group"),
        "{line}"
    );
    house.ok(&["attribute", "remove", "Vault", "costs"]);

    house.ok(&[
        "filter",
        "add",
        "Vault",
        "--filter",
        "Sales",
        "--clause",
        "department EQUALS Sales",
        "--clause",
        "country is not null",
    ]);
    let listed = house.ok(&["filter", "list", "Vault"]);
    assert!(
        listed.contains("department EQUALS Sales and country IS NOT NULL"),
        "{listed}"
    );
    house.ok(&["filter", "remove", "Vault", "--filter", "sales"]);
    assert_eq!(house.json(&["filter", "list", "Vault"], 0), json!([]));

    house.ok(&["mapping", "reset", "Vault"]);
    let set = house.json(&["show", "Vault"], 0)["application"].clone();
    assert_eq!(set["groups"]["enabled"], true);
    assert_eq!(set["scope"], "all", "a reset is about mappings");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_input_is_told_and_changes_nothing() {
    let house = House::connected().await;
    let before = house.json(&["show", "Vault"], 0);
    let url = house.vault.base.clone();
    for (arguments, said) in [
        (&["create", "vault"][..], "is taken"),
        (&["create", ""], "a value is required"),
        (&["show", "Nothing"], "`rollcall app list`"),
        (&["connect", "Vault", "--url", &url], "--token-stdin"),
        (
            &[
                "connect",
                "Vault",
                "--url",
                "vault",
                "--token-file",
                "token",
            ],
            "is not a URL",
        ),
        (
            &["connect", "Vault", "--url", &url, "--token-file", "nowhere"],
            "the token file `nowhere`",
        ),
        (
            &["connect", "Vault", "--url", &url, "--token-env", "NO_SUCH"],
            "`NO_SUCH` is not set",
        ),
        (
            &["connect", "Vault", "--url", &url, "--token-stdin"],
            "the token is empty",
        ),
        (&["set", "Vault"], "required"),
        (&["set", "Vault", "--scope", "some"], "all, assigned"),
        (
            &["set", "Vault", "--kind", "user", "--scope", "all"],
            "--kind says nothing",
        ),
        (&["set", "Vault", "--max-deletions", "few"], "or `default`"),
        (&["set", "Vault", "--drift-every", "90m"], "whole hours"),
        (
            &["set", "Vault", "--drift-repair", "yes"],
            "--drift-every 24h",
        ),
        (&["set", "Vault", "--notify", "ann"], "`nobody`"),
        (&["assign", "Vault", "ann"], "user:adele@example.com"),
        (
            &["unassign", "Vault", "user:ann"],
            "`user:ann` is not assigned",
        ),
        (
            &["why", "Vault", "group:ann"],
            "no `group:ann` in the directory",
        ),
        (&["provision", "Vault", "user:zoe"], "no `user:zoe`"),
        (&["log", "Vault", "--of", "user:zoe"], "no `user:zoe`"),
        (&["log", "Vault", "--count", "0"], "--count"),
    ] {
        house.refuses(arguments, said);
    }
    let (_, told) = house.ends(
        &["assign", "Vault", "user:ann", "user:zoe", "group:Crew"],
        2,
    );
    for name in ["`user:zoe`", "`group:Crew`"] {
        assert!(told.contains(name), "all at once: {told}");
    }
    let (_, told) = house.ends(&["unassign", "Vault", "group:Team", "user:ann"], 2);
    assert!(told.contains("user:ann"), "{told}");
    assert_eq!(house.json(&["show", "Vault"], 0), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_mappings_and_filters_are_told_and_change_nothing() {
    let house = House::connected().await;
    let before = house.json(&["show", "Vault"], 0);
    for (arguments, said) in [
        (&["mapping", "set", "Vault", "title"][..], "--direct"),
        (
            &[
                "mapping",
                "set",
                "Vault",
                "title",
                "--expression",
                "Jion([a])",
            ],
            "title: ",
        ),
        (
            &[
                "mapping",
                "set",
                "Vault",
                "a[b ne \"c\"].d",
                "--direct",
                "mail",
            ],
            "a mistake in the configuration; nothing was changed",
        ),
        (
            &[
                "mapping",
                "set",
                "Vault",
                "userName",
                "--direct",
                "mail",
                "--matching",
                "none",
            ],
            "matching attribute",
        ),
        (
            &["mapping", "remove", "Vault", "userName"],
            "matching attribute",
        ),
        (
            &["mapping", "remove", "Vault", "shoeSize"],
            "no mapping `shoeSize`",
        ),
        (
            &["attribute", "remove", "Vault", "shoeSize"],
            "no attribute `shoeSize`",
        ),
        (
            &["attribute", "set", "Vault", "x", "--type", "shoe"],
            "date-time",
        ),
        (
            &[
                "filter",
                "add",
                "Vault",
                "--filter",
                "f",
                "--clause",
                "department LIKE Sales",
            ],
            "use one of EQUALS, NOT EQUALS",
        ),
        (
            &[
                "filter",
                "add",
                "Vault",
                "--filter",
                "f",
                "--clause",
                "city REGEX MATCH (",
            ],
            "the pattern `(`",
        ),
        (
            &["filter", "remove", "Vault", "--filter", "f"],
            "no scoping filter `f`",
        ),
        (
            &["run", "Vault", "--plan", "nowhere.json"],
            "`rollcall app plan --out FILE`",
        ),
        (
            &["restart", "Vault", "--reset", "Everything"],
            "ConnectorDataStore",
        ),
    ] {
        house.refuses(arguments, said);
    }
    assert_eq!(house.json(&["show", "Vault"], 0), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_comes_by_every_way_but_as_an_argument() {
    let house = House::new().await;
    house.ok(&["create", "Vault"]);
    let url = house.vault.base.clone();
    house.ends(&["start", "Vault"], 2);
    let (_, said) = house.ends(&["test", "Vault"], 2);
    assert!(
        said.contains("no Tenant URL and Secret Token yet"),
        "{said}"
    );

    let connect = ["connect", "Vault", "--url", &url, "--token-stdin"];
    let fed = house.fed(&connect, &format!("  {}\n", house.token));
    assert!(fed.status.success(), "{fed:?}");
    let by_variable = house
        .command(&[
            "connect",
            "Vault",
            "--url",
            &url,
            "--token-env",
            "THE_TOKEN",
        ])
        .env("THE_TOKEN", &house.token)
        .output()
        .unwrap();
    assert!(by_variable.status.success(), "{by_variable:?}");
    let two_words = house.fed(&connect, "one two");
    assert_eq!(two_words.status.code(), Some(2));

    // another token than the target's is wrong input, and is stored
    let refused = house.fed(&connect, "another");
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(refused.stderr).contains("401"));
    house.fed(
        &[
            "connect",
            "Vault",
            "--url",
            &url,
            "--token-stdin",
            "--no-test",
        ],
        &house.token,
    );
    let printed = [
        house.ok(&["show", "Vault"]),
        house.ok(&["show", "Vault", "--json"]),
    ]
    .concat();
    assert!(!printed.contains(&house.token), "{printed}");
}
