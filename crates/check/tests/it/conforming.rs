//! What the RFCs leave to an endpoint is no fault of it.

use rollcall_check::{Persona, Word};
use rollcall_testkit::Dialect;
use serde_json::Value;

use crate::endpoint::{Endpoint, Reply, Turn, told, verdict};

fn lower(value: &mut Value) {
    if let Some(text) = value.as_str() {
        *value = text.to_lowercase().into();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_may_write_names_and_addresses_in_small_letters() {
    let endpoint = Endpoint::start(
        |_| Turn::Pass,
        |_, reply| {
            let body = &mut reply.body;
            if body["userName"].is_string() {
                lower(&mut body["userName"]);
                for email in body["emails"].as_array_mut().into_iter().flatten() {
                    lower(&mut email["value"]);
                }
            }
        },
    )
    .await;

    let report = endpoint.graded().await;

    for id in [
        "create.person",
        "read.person",
        "read.projection",
        "patch.value-path",
        "delete.again",
    ] {
        assert_eq!(told(&report, id), "kept", "{id}");
    }
    assert_eq!(endpoint.names(), ["ann"]);
}

/// Starts an endpoint without PATCH and without filters, which says so.
async fn modest() -> Endpoint {
    let dialect = Dialect {
        no_patch: true,
        ..Dialect::default()
    };
    Endpoint::speaking(
        dialect,
        |asked| {
            let is_search = asked.query.contains("filter=") || asked.path.ends_with(".search");
            if is_search {
                Turn::Answer(Reply::error(501))
            } else {
                Turn::Pass
            }
        },
        |asked, reply| {
            if asked.path == "/ServiceProviderConfig" {
                reply.body["filter"]["supported"] = false.into();
            }
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patch_and_filters_are_left_to_an_endpoint_unless_a_directory_uses_them() {
    let endpoint = modest().await;

    let report = endpoint.graded().await;

    for verdict in &report.verdicts {
        let id = verdict.promise.id;
        let optional = ["group.find", "group.leave", "group.join", "group.rename"];
        if id.starts_with("patch.") || id.starts_with("filter.") || optional.contains(&id) {
            assert_eq!(verdict.word, Word::Untested, "{id}");
            assert!(told(&report, id).contains("is not supported"), "{id}");
        }
    }
    for id in ["put.person", "put.clears", "delete.gone", "group.delete"] {
        assert_eq!(told(&report, id), "kept", "{id}");
    }
    let patches = endpoint.target.requests().into_iter();
    let patches: Vec<_> = patches.filter(|asked| asked.method == "PATCH").collect();
    assert_eq!(patches, []);
    assert_eq!(endpoint.names(), ["ann"]);

    for persona in [Persona::Entra, Persona::Okta] {
        let report = modest().await.graded_as(persona).await.unwrap();

        for id in ["patch.disable", "filter.name", "group.leave", "group.find"] {
            assert_eq!(verdict(&report, id).word, Word::Broken, "{persona}: {id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_that_an_endpoint_does_not_have_are_not_missed() {
    for (lost, without) in [
        (&["nickName"][..], &["put.clears"][..]),
        (&["nickName", "title"], &["patch.remove", "put.clears"]),
        (
            &["nickName", "title", "displayName"],
            &["patch.value", "patch.no-path", "patch.remove", "put.clears"],
        ),
    ] {
        let endpoint = Endpoint::start(
            |_| Turn::Pass,
            |asked, reply| {
                if let (true, Some(body)) =
                    (asked.path.starts_with("/Users"), reply.body.as_object_mut())
                {
                    body.retain(|name, _| !lost.contains(&name.as_str()));
                }
            },
        )
        .await;

        let report = endpoint.graded().await;

        let all = report.verdicts.iter();
        let changes = all.filter(|verdict| {
            verdict.promise.id.starts_with("patch.") || verdict.promise.id.starts_with("put.")
        });
        for verdict in changes {
            let id = verdict.promise.id;
            let expected = if without.contains(&id) {
                Word::Untested
            } else {
                Word::Kept
            };
            assert_eq!(verdict.word, expected, "{lost:?}: {verdict:?}");
        }
    }
}
