//! The objects of a cycle, in their order: who leaves, who is held back, everybody else.
//!
//! **Is not:** what is done with one of them; see [`crate::handling`] and [`crate::settling`].

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use rollcall_model::link::LinkState;
use rollcall_model::provisioning::ObjectKey;
use rollcall_model::{Kind, ResourceId};
use rollcall_sync::source::SourceObject;
use rollcall_sync::task::Decision;

use crate::Error;
use crate::directory::{self, Known};
use crate::entry::Steps;
use crate::handling::{begin, bring};
use crate::settling::finish;
use crate::survey::{Candidates, Survey};
use crate::work::{PAGE, WIDTH, Work, each};

/// Handles who leaves the target.
pub(crate) async fn leave(work: &Arc<Work>, survey: &Survey) -> Result<(), Error> {
    let ids: Vec<_> = survey.leaving.iter().copied().collect();
    each(work, ids, WIDTH, |work, (kind, id)| async move {
        let known = one(&work, kind, id).await?;
        bring_in_turn(&work, known).await
    })
    .await
}

/// Lets those be in use again who were held back, or allowed to leave, and have come back: the list that can be allowed is the one that
/// was counted.
async fn restore(work: &Arc<Work>, survey: &Survey) -> Result<(), Error> {
    let application = work.application;
    let kinds: Vec<Kind> = work.kinds().collect();
    let leaving: HashSet<ObjectKey> = survey.leaving.union(&survey.held).copied().collect();
    work.write(move |writer| {
        for kind in kinds {
            let mut after = None;
            loop {
                let links = writer.links_needing_attention(application, kind, after, PAGE)?;
                let Some(last) = links.last() else { break };
                after = Some(last.object);
                for mut link in links {
                    let is_held = matches!(link.state, LinkState::Held | LinkState::Allowed);
                    if is_held && !leaving.contains(&(kind, link.object)) {
                        link.state = LinkState::Active;
                        link.digest = None;
                        writer.save_link(&link)?;
                    }
                }
            }
        }
        Ok(())
    })
    .await
}

/// Holds back who would leave.
pub(crate) async fn hold(work: &Arc<Work>, survey: &Survey) -> Result<(), Error> {
    restore(work, survey).await?;
    let ids: Vec<_> = survey.held.iter().copied().collect();
    each(work, ids, WIDTH, |work, (kind, id)| async move {
        let known = one(&work, kind, id).await?;
        let begun = Instant::now();
        let before = known.link.clone();
        if before
            .as_ref()
            .is_some_and(|link| link.state == LinkState::Held)
        {
            work.count(kind, Decision::Hold);
            return Ok(());
        }
        let ending = begin(&work, &known).hold();
        finish(
            &work,
            &known.object,
            before,
            ending,
            Steps::default(),
            begun,
        )
        .await
    })
    .await
}

/// Handles all candidates of a kind, other than those who leave.
pub(crate) async fn bring_all(work: &Arc<Work>, survey: &Survey, kind: Kind) -> Result<(), Error> {
    let mut after = None;
    while let Some(page) = next_page(work, &survey.candidates, kind, &mut after).await? {
        let read = page.len() as u64;
        let of_interest = page.into_iter().filter(|known| {
            // who began to leave after the count is in the feed of the next cycle, where the guard counts him
            let leaves = known.link.as_ref().is_some_and(|link| {
                work.entitlement(&known.object)
                    .takes_away(work.rules.of(kind), link)
            });
            if leaves || survey.leaving.contains(&known.object.key()) {
                return false;
            }
            // most objects of a large directory are not assigned: nothing is remembered of them, nothing is done
            let is_foreign = known.link.is_none() && !is_entitled(work, &known.object);
            if is_foreign {
                work.count(kind, Decision::Skip);
            }
            !is_foreign
        });
        let of_interest: Vec<Known> = of_interest.collect();
        work.advance(read - of_interest.len() as u64);
        each(work, of_interest, WIDTH, |work, known| async move {
            bring_in_turn(&work, known).await?;
            work.advance(1);
            Ok(())
        })
        .await?;
    }
    let begun = survey.begun.iter().filter(|key| key.0 == kind);
    let begun = begun.copied().collect();
    each(work, begun, WIDTH, |work, (kind, id)| async move {
        let known = one(&work, kind, id).await?;
        bring_in_turn(&work, known).await?;
        work.advance(1);
        Ok(())
    })
    .await
}

/// Reads the next page of candidates; none: there are no more.
pub(crate) async fn next_page(
    work: &Arc<Work>,
    candidates: &Candidates,
    kind: Kind,
    after: &mut Option<ResourceId>,
) -> Result<Option<Vec<Known>>, Error> {
    let from = *after;
    let chosen: Option<Vec<ResourceId>> = candidates.of(kind).map(|ids| {
        let rest = ids.iter().filter(|id| from.is_none_or(|from| **id > from));
        rest.take(usize::try_from(PAGE).unwrap_or(usize::MAX))
            .copied()
            .collect()
    });
    let inner = Arc::clone(work);
    let page = work
        .tenant
        .read::<_, Error, _>(move |reader| {
            let (application, assigned) = (inner.application, &inner.assigned);
            match chosen {
                None => Ok(directory::page(reader, application, assigned, kind, from)?),
                Some(ids) => ids
                    .into_iter()
                    .map(|id| Ok(directory::known(reader, application, assigned, kind, id)?))
                    .collect(),
            }
        })
        .await?;
    let Some(last) = page.last() else {
        return Ok(None);
    };
    *after = Some(last.object.id);
    Ok(Some(page))
}

fn is_entitled(work: &Work, object: &SourceObject) -> bool {
    work.entitlement(object) == rollcall_sync::task::Entitlement::Entitled
}

/// Reads an object with what is remembered of it.
pub(crate) async fn one(work: &Arc<Work>, kind: Kind, id: ResourceId) -> Result<Known, Error> {
    let inner = Arc::clone(work);
    work.tenant
        .read(move |reader| {
            Ok(directory::known(
                reader,
                inner.application,
                &inner.assigned,
                kind,
                id,
            )?)
        })
        .await
}

/// Handles an object, unless it was overtaken.
async fn bring_in_turn(work: &Arc<Work>, known: Known) -> Result<(), Error> {
    let key = known.object.key();
    if !work.takes_up(key) {
        return Ok(());
    }
    let outcome = bring(work, known).await;
    work.lets_go(key);
    outcome
}
