//! How long an organisation keeps things, said in the console and by command.

use serde_json::{Value, json};

use super::guest::{Guest, PASSWORD, administrator};
use crate::support::Installation;

#[tokio::test]
async fn how_long_things_are_kept_is_said_in_the_console_and_by_command_alike() {
    let (installation, _) = Installation::with("vault");
    administrator(&installation, "vault", "owner@example.com");
    let server = installation.serve(&[]);
    let mut guest = Guest::new(&server);
    guest.sign_in("owner@example.com", PASSWORD).await.is(303);
    let keep = |arguments: &[&str]| -> Value {
        let all = [&["org"], arguments, &["vault", "--json"]].concat();
        let shown: Value = serde_json::from_str(&installation.ok(&all)).unwrap();
        shown["keep"].clone()
    };
    let defaults = json!({"logs": "365d", "requests": "30d", "tombstones": "1095d"});
    assert_eq!(keep(&["show"]), defaults);

    let set = keep(&["set", "--keep-logs", "90d", "--keep-tombstones", "forever"]);
    let expected = json!({"logs": "90d", "requests": "30d", "tombstones": "forever"});
    assert_eq!(set, expected);
    for (arguments, said) in [
        (&["org", "set", "vault"][..], "--keep-logs"),
        (
            &["org", "set", "vault", "--keep-logs", "3 weeks"],
            "such as 90d, or forever",
        ),
    ] {
        let output = installation.run(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: {told}");
    }

    let page = "/settings/organisation";
    let shown = guest.get(page).await.is(200);
    assert!(shown.body.contains("value=\"90\""), "{}", shown.body);
    let save = format!("{page}/keep");
    let fields = [("keep_logs", "soon"), ("keep_requests", "7")];
    let wrong = guest.submit(page, &save, &fields).await.is(422);
    assert!(wrong.body.contains("value=\"soon\"") && wrong.body.contains("<title>Error: "));
    assert_eq!(keep(&["show"]), expected);
    let fields = [
        ("keep_logs", "10"),
        ("keep_requests", "7"),
        ("keep_tombstones", ""),
    ];
    guest.submit(page, &save, &fields).await.is(303);
    let expected = json!({"logs": "10d", "requests": "7d", "tombstones": "forever"});
    assert_eq!(keep(&["show"]), expected);
    let log = guest.get("/activity?action=organisation.changed").await;
    assert!(log.is(200).body.contains("keep_logs"));
}
