//! The examples of docs/api.md are run as they stand there.

use std::path::Path;

use crate::support::{Installation, rollcall};

/// Returns what is written between fences of this language, in order.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let parts = page.split(fence.as_str()).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap())
        .collect()
}

#[tokio::test]
async fn the_examples_of_the_page_work_as_they_stand() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    let ann = scim.person("ann@example.com").await;
    scim.group("Sales", &[&ann]).await;
    let examples = blocks(&page, "sh");
    assert!(examples.len() >= 6, "{}", examples.len());
    let script = examples
        .concat()
        .replace("https://rollcall.example.com", &server.url);
    let script = format!("set -eu\nset -o pipefail\n{script}");

    let folder = installation.folder.path();
    let binary = Path::new(env!("CARGO_BIN_EXE_rollcall")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    // the environment of a command of this installation, for a shell
    let like = rollcall(folder, &[]);
    let mut shell = std::process::Command::new("bash");
    shell.arg("-c").arg(&script).current_dir(folder).env_clear();
    shell.envs(
        like.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let ran = tokio::task::spawn_blocking(move || shell.env("PATH", path).output().unwrap());
    let ran = ran.await.unwrap();

    let (told, said) = (
        String::from_utf8_lossy(&ran.stdout).into_owned(),
        String::from_utf8_lossy(&ran.stderr).into_owned(),
    );
    assert!(ran.status.success(), "{told}\n{said}");
    for word in [
        "\"slug\":\"vault\"",
        "ann@example.com",
        "user.disabled",
        "rc_",
    ] {
        assert!(told.contains(word), "{word}: {told}\n{said}");
    }
    let shown = scim.get(&format!("/Users/{ann}")).await.is(200).body;
    assert_eq!(shown["active"], true, "switched off and on again");
}
