//! What the RFCs leave to an endpoint is no fault of it.

use serde_json::Value;

use crate::endpoint::{Endpoint, Turn, told};

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
