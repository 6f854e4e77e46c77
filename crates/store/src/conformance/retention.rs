//! What is not kept any longer goes, the oldest first, and nothing else.

use rollcall_model::Kind;
use rollcall_model::application::Application;
use rollcall_model::{ApplicationId, ResourceId};
use serde_json::json;

use super::console::exchange;
use super::provisioning::log_entry;
use super::{DICE, add, at, change, organisation, person};
use crate::{Error, ExchangeQuery, Store};

/// Log, exchanges and tombstones from before an instant go, in parts; what is younger stays, as does everything of other applications and
/// organisations, and places go on where they were.
pub async fn what_is_old_goes_in_parts_and_the_rest_stays(store: Store) {
    let (tenant, other) = (
        organisation(&store, "one").await,
        organisation(&store, "other").await,
    );
    let ids = [
        ApplicationId::new(at(0), &DICE),
        ApplicationId::new(at(0), &DICE),
    ];
    let [first, second] = ids;
    for tenant in [&tenant, &other] {
        change(tenant, move |writer| {
            for id in ids {
                writer.save_application(&Application::new(id, id.to_string(), at(0)))?;
                for second in 1..=6 {
                    let object = ResourceId::new(at(0), &DICE);
                    writer.append_log(&log_entry(id, object, second))?;
                }
            }
            let exchanges: Vec<_> = (1..=6).map(|second| exchange(None, 401, second)).collect();
            writer.append_exchanges(&exchanges)
        })
        .await;
        for second in 1..=6 {
            let gone = person(&format!("p{second}"), json!({}));
            add(tenant, &gone).await.unwrap();
            change(tenant, move |writer| {
                writer.remove(Kind::User, gone.id, at(second))
            })
            .await;
        }
    }

    for expected in [2, 2, 0] {
        let forgotten = change(&tenant, move |writer| {
            Ok([
                writer.forget_log(first, at(5), 2)?,
                writer.forget_exchanges(at(5), 2)?,
                writer.forget_tombstones(at(5), 2)?,
            ])
        });
        assert_eq!(forgotten.await, [expected; 3]);
    }
    change(&tenant, move |writer| {
        writer.append_log(&log_entry(first, ResourceId::new(at(0), &DICE), 7))?;
        writer.append_exchanges(&[exchange(None, 401, 7)])
    })
    .await;

    for (tenant, whole) in [(&tenant, false), (&other, true)] {
        tenant
            .read::<_, Error, _>(move |reader| {
                let log = |id| -> Result<Vec<u64>, Error> {
                    let log = reader.provisioning_log(id, None, 100)?;
                    Ok(log.into_iter().map(|(place, _)| place).collect())
                };
                let all = vec![6, 5, 4, 3, 2, 1];
                let kept = |last| {
                    if whole { all.clone() } else { vec![last, 6, 5] }
                };
                assert_eq!(log(first)?, kept(7));
                assert_eq!(log(second)?, all);
                let exchanges = reader.exchanges(ExchangeQuery::default(), 100)?;
                let places: Vec<u64> = exchanges.into_iter().map(|(place, _)| place).collect();
                assert_eq!(places, kept(7));
                for second in 1..=6 {
                    let there = reader.tombstones(Kind::User, None, &format!("p{second}"))?;
                    assert_eq!(there.len(), usize::from(whole || second >= 5), "{second}");
                }
                Ok(())
            })
            .await
            .unwrap();
    }
}
