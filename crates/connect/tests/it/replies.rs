//! Replies that cannot be right are not believed.

use rollcall_model::Kind;
use rollcall_sync::task::{Answer, Write};
use serde_json::{Map, json};

use crate::scripted::{Said, Scripted};

#[tokio::test]
async fn a_list_that_contradicts_itself_is_refused() {
    let rows = [
        (
            json!({"totalResults": 3, "Resources": []}),
            "counts more than it shows",
        ),
        (
            json!({"totalResults": 0, "Resources": [{"id": "1"}]}),
            "shows more than it counts",
        ),
        (
            json!({"totalResults": 2, "Resources": [{"id": "1"}, {"id": "1"}]}),
            "shows the resource `1` twice",
        ),
        (
            json!({"totalResults": 1, "Resources": [{"id": true}]}),
            "whose `id` is true",
        ),
        (
            json!({"totalResults": 1, "Resources": ["ann"]}),
            "not a SCIM ListResponse",
        ),
        (
            json!({"totalResults": 1, "Resources": {}}),
            "not a SCIM ListResponse",
        ),
        (
            json!({"totalResults": "1", "Resources": []}),
            "not a SCIM ListResponse",
        ),
    ];
    for (body, expected) in rows {
        let endpoint = Scripted::start(move |_, _| Said::json(200, &body)).await;

        let answer = endpoint.target().find(Kind::User, "userName", "ann").await;

        assert!(
            matches!(&answer, Answer::Failed(trouble) if trouble.message.contains(expected)),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn another_resource_than_the_one_asked_for_is_refused() {
    for (body, expected) in [
        (
            json!({"id": "2"}),
            "another resource than the one asked for",
        ),
        (json!({}), "another resource than the one asked for"),
        (json!({"id": 1}), "whose `id` is 1"),
        (json!([]), "not a JSON object"),
    ] {
        let endpoint = Scripted::start(move |_, _| Said::json(200, &body)).await;

        let answer = endpoint.target().get(Kind::User, "1").await;

        assert!(
            matches!(&answer, Answer::Failed(trouble) if trouble.message.contains(expected)),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn json_is_read_whatever_it_is_called() {
    let body = r#"{"totalResults": 1, "Resources": [{"id": "1", "userName": "ann"}]}"#;
    let endpoint = Scripted::start(move |_, _| Said::text(200, "text/plain", body)).await;

    let answer = endpoint.target().find(Kind::User, "userName", "ann").await;

    assert!(
        matches!(&answer, Answer::Found(found) if found.len() == 1),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_page_for_people_is_no_sign_that_anything_was_done() {
    let patch = Write::Patch {
        id: "1".into(),
        operations: vec![json!({"op": "replace", "path": "active", "value": false})],
    };
    for write in [patch, Write::Delete { id: "1".into() }] {
        for (page, is_done) in [("<html>Sign in</html>", false), ("", true)] {
            let endpoint =
                Scripted::start(move |_, _| Said::text(200, "text/html; charset=utf-8", page))
                    .await;

            let answer = endpoint.target().write(Kind::User, &write).await;

            assert_eq!(answer == Answer::Done, is_done, "{answer:?}");
            assert!(
                is_done
                    || matches!(&answer, Answer::Unknown(trouble) if trouble.message.contains("web page")),
                "{answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_id_of_a_created_resource_is_looked_up_when_the_answer_contradicts_itself() {
    let body: Map<_, _> = json!({"userName": "Ann"}).as_object().cloned().unwrap();
    for (location, there, expected) in [
        (
            json!("https://app.example.com/scim/Users/1"),
            "nobody",
            true,
        ),
        (json!(null), "nobody", true),
        // a location of another form is no reason to doubt, once the resource was seen
        (
            json!("https://app.example.com/people?number=1"),
            "ann",
            true,
        ),
        (json!("https://app.example.com/scim/Users/2"), "bob", false),
    ] {
        let created = json!({"id": "1", "userName": "Ann", "meta": {"location": location}});
        let endpoint = Scripted::start(move |seen, _| match seen.method.as_str() {
            "POST" => Said::json(201, &created),
            _ => Said::json(200, &json!({"id": "1", "userName": there})),
        })
        .await;

        let write = Write::Create { body: body.clone() };
        let answer = endpoint.target().write(Kind::User, &write).await;

        if expected {
            assert_eq!(answer, Answer::Created("1".into()));
        } else {
            assert!(matches!(answer, Answer::Unknown(_)), "{answer:?}");
        }
    }
}
