//! Members of a group that the target had before anybody asked.

use rollcall_model::Kind;
use rollcall_model::provisioning::ResetScope;
use rollcall_testkit::{Behaviour, Dialect};
use serde_json::json;

use crate::ends::Ends;

/// What is read of a group's members is compared with who ought to be there: who is, is not sent again, whatever was on record.
#[tokio::test]
async fn members_who_are_there_already_are_not_sent_again() {
    for ignores_excluded_attributes in [false, true] {
        let ends = Ends::new(Behaviour::default().with_dialect(Dialect {
            ignores_excluded_attributes,
            ..Dialect::default()
        }))
        .await;
        let (ann, bob) = (ends.person("ann").await, ends.person("bob").await);
        ends.settle().await;
        let id = |name: &str| json!({"value": ends.there(name).unwrap()["id"]});
        let members = json!([id("bob"), id("ann")]);
        let body = json!({"displayName": "Team", "members": members});
        ends.target.insert(Kind::Group, body).unwrap();

        ends.group("Team", &[ann, bob]).await;
        let adopted = ends.settle().await;
        assert_eq!(
            (adopted.groups.adopted, adopted.members_added),
            (1, 0),
            "{adopted:#?}"
        );
        let before = ends.target.last_request();
        ends.app
            .restart(&ends.source, ends.application, ResetScope::default())
            .await
            .unwrap();
        let again = ends.settle().await;

        let writes = ends.target.writes_since(before);
        let members: Vec<_> = writes
            .iter()
            .filter(|write| write.path_and_query.contains("/Groups/"))
            .collect();
        assert!(members.is_empty(), "{members:#?}");
        assert_eq!((again.members_added, again.members_removed), (0, 0));
    }
}
