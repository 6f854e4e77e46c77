//! The change feed as those outside are told of it: events, in order and without a gap.

use std::fmt;
use std::str::FromStr;

use rollcall_model::{Change, Event, Organisation};
use rollcall_store::Reader;

use crate::directory::Context;
use crate::{App, Failure};

/// How long the mark of a place is.
const MARK: usize = 32;

/// A place of the feed, as whoever follows keeps it: after which entry to go on. The mark is that of the entry's event, so a place tells
/// when the store was restored from a backup since and has another entry there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    at: u64,
    mark: String,
}

/// A text that is no place of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPlace;

impl Place {
    /// Returns how many entries are before what comes next.
    pub fn at(&self) -> u64 {
        self.at
    }

    fn of(change: &Change, organisation: &Organisation) -> Self {
        let event = Event::of(change, organisation.id, &organisation.slug);
        Self {
            at: change.sequence,
            mark: event.id.trim_start_matches("evt_").to_owned(),
        }
    }

    /// Returns the place of an entry; the beginning has none.
    fn read(
        reader: &dyn Reader,
        organisation: &Organisation,
        at: u64,
    ) -> Result<Option<Self>, Failure> {
        let Some(before) = at.checked_sub(1) else {
            return Ok(Some(Self::default()));
        };
        let found = reader.told(before, 1)?;
        let entry = found.first().filter(|change| change.sequence == at);
        Ok(entry.map(|change| Self::of(change, organisation)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mark.is_empty() {
            return write!(f, "{}", self.at);
        }
        write!(f, "{}-{}", self.at, self.mark)
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        if text == "0" {
            return Ok(Self::default());
        }
        let (at, mark) = text.split_once('-').ok_or(NoPlace)?;
        let at = at.parse().map_err(|_| NoPlace)?;
        let is_mark = mark.len() == MARK && mark.bytes().all(|byte| byte.is_ascii_hexdigit());
        if at == 0 || !is_mark {
            return Err(NoPlace);
        }
        Ok(Self {
            at,
            mark: mark.to_owned(),
        })
    }
}

/// From where on somebody wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// Only of what happens from now on.
    End,
    /// Of what comes after a place.
    Place(Place),
}

/// A part of the feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The events, in order.
    pub events: Vec<Event>,
    /// The place of the last of them; of none, the one that was asked for.
    pub until: Place,
    /// How many entries the feed has.
    pub last: u64,
}

impl App {
    /// Returns `count` events after a place of the feed; nothing when the feed has another entry at that place, or none: the store was
    /// restored from a backup since.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn events(
        &self,
        context: &Context,
        after: After,
        count: u64,
    ) -> Result<Option<Told>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let last = reader.last_change()?;
                let organisation = reader.organisation()?;
                let asked = match &after {
                    After::End => last,
                    After::Place(place) => place.at,
                };
                let there = Place::read(reader, &organisation, asked)?;
                let Some(there) = there.filter(|there| match &after {
                    After::End => true,
                    After::Place(place) => place == there,
                }) else {
                    return Ok(None);
                };
                let changes = reader.told(asked, count)?;
                let until = changes.last();
                let until = until.map_or(there, |change| Place::of(change, &organisation));
                let events = changes
                    .iter()
                    .map(|change| Event::of(change, organisation.id, &organisation.slug));
                Ok(Some(Told {
                    events: events.collect(),
                    until,
                    last,
                }))
            })
            .await
    }

    /// Returns how many entries the feed has; cheap, for whoever waits for the next one.
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

#[cfg(test)]
mod tests {
    use rollcall_model::Kind;
    use serde_json::json;

    use super::*;
    use crate::testing::Installation;

    async fn told(installation: &Installation, after: After) -> Option<Told> {
        let context = installation.command();
        let told = installation.app.events(&context, after, 10);
        told.await.unwrap()
    }

    #[tokio::test]
    async fn a_place_of_another_history_is_noticed() {
        let installation = Installation::new().await;
        let (app, context) = (&installation.app, installation.command());
        assert_eq!(
            told(&installation, After::End)
                .await
                .unwrap()
                .until
                .to_string(),
            "0"
        );
        for name in ["ann", "bob"] {
            let body = json!({"userName": name});
            app.create(&context, Kind::User, body).await.unwrap();
        }
        let all = told(&installation, After::Place(Place::default())).await;
        let all = all.unwrap();
        assert_eq!(all.events.len(), 2);
        let place: Place = all.until.to_string().parse().unwrap();
        assert_eq!(place, all.until);

        let none = told(&installation, After::Place(place.clone())).await;
        assert_eq!(none.unwrap().until, place);
        let end = told(&installation, After::End).await;
        assert_eq!(end.unwrap().until, place);
        for of_another in [
            Place {
                at: 1,
                ..place.clone()
            },
            Place { at: 3, ..place },
        ] {
            assert_eq!(told(&installation, After::Place(of_another)).await, None);
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in ["", "17", "x", "-1", "17-", "17-zz", "0-00"] {
            assert_eq!(text.parse::<Place>(), Err(NoPlace), "{text}");
        }
    }
}
