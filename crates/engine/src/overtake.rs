//! Deactivations overtake everything else: while a long cycle creates and updates, who is blocked or deleted meanwhile, or goes out of an
//! assigned group, does not wait for its end. (An assignment that ends does: a cycle knows the assignments of its beginning.)
//!
//! The feed is looked at several times a second. Whoever leaves is brought at once, by the same task and under the same guard, and is
//! left alone by the rest of the cycle, which may have read him before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rollcall_model::Kind;
use rollcall_model::provisioning::ObjectKey;
use rollcall_store::Reader;
use rollcall_sync::guard::Verdict;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::handling::bring;
use crate::objects::one;
use crate::survey::{Candidates, Chosen, changes_since, departures, leaves, verdict};
use crate::work::Work;

/// How often the feed is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Brings those who begin to leave while the cycle runs, until `end`.
pub(crate) async fn run(work: Arc<Work>, end: CancellationToken) -> Result<(), Error> {
    let mut since = work.watermark;
    // those who were being handled when they began to leave
    let mut waiting = BTreeSet::new();
    loop {
        tokio::select! {
            () = end.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK) => {}
        }
        if work.is_over() {
            return Ok(());
        }
        let (place, leaving) = look(&work, since, std::mem::take(&mut waiting)).await?;
        since = place;
        for (kind, id) in leaving {
            if !work.overtakes((kind, id)) {
                waiting.insert((kind, id));
                continue;
            }
            let known = one(&work, kind, id).await?;
            bring(&work, known).await?;
        }
    }
}

/// Reads who began to leave since a place in the feed; returns the place up to which it was read. Nobody when the guard would hold them
/// back: the next cycle counts them with all others, and asks.
async fn look(
    work: &Arc<Work>,
    since: u64,
    waiting: BTreeSet<ObjectKey>,
) -> Result<(u64, BTreeSet<ObjectKey>), Error> {
    let inner = Arc::clone(work);
    work.tenant
        .read::<_, Error, _>(move |reader| {
            let place = reader.last_change()?;
            let mut leaving = BTreeSet::new();
            if place == since && waiting.is_empty() {
                return Ok((place, leaving));
            }
            // a group whose end touches nobody knows whom is left to the next cycle
            if let Candidates::These(chosen) = changes_since(&inner, reader, since)? {
                add(&inner, reader, &chosen, waiting, &mut leaving)?;
            }
            let recent = departures(&reader.job(inner.application)?, inner.at);
            let count = (leaving.len() as u64, recent);
            if verdict(reader, inner.application, count, inner.limit)? != Verdict::Pass {
                leaving.clear();
            }
            Ok((place, leaving))
        })
        .await
}

fn add(
    work: &Work,
    reader: &dyn Reader,
    chosen: &Chosen,
    waiting: BTreeSet<ObjectKey>,
    leaving: &mut BTreeSet<ObjectKey>,
) -> Result<(), Error> {
    let touched = work
        .kinds()
        .flat_map(|kind| chosen.of(kind).iter().map(move |id| (kind, *id)));
    let touched: BTreeSet<(Kind, _)> = touched.chain(waiting).collect();
    for (kind, id) in touched {
        if leaves(work, reader, kind, id)?.is_some() {
            leaving.insert((kind, id));
        }
    }
    Ok(())
}
