//! The change feed as those outside are told of it: events, in order and without a gap.

use rollcall_model::Event;

use crate::directory::Context;
use crate::{App, Failure};

/// A part of the feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The events, in order.
    pub events: Vec<Event>,
    /// The place of the last of them; of none, the one that was asked for.
    pub until: u64,
    /// The place of the feed's last entry.
    pub last: u64,
}

impl App {
    /// Returns `count` events after a place of the feed.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn events(&self, context: &Context, after: u64, count: u64) -> Result<Told, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let last = reader.last_change()?;
                let organisation = reader.organisation()?;
                let changes = reader.changes(after, count)?;
                let until = changes.last().map_or(after, |change| change.sequence);
                let events = changes
                    .iter()
                    .map(|change| Event::of(change, organisation.id, &organisation.slug));
                Ok(Told {
                    events: events.collect(),
                    until,
                    last,
                })
            })
            .await
    }

    /// Returns the place of the feed's last entry; cheap, for whoever waits for the next one.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn end_of_feed(&self, context: &Context) -> Result<u64, Failure> {
        context
            .tenant()
            .glance(|reader| Ok(reader.last_change()?))
            .await
    }
}
