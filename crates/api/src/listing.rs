//! Pages: how many, and where the next one begins.

use crate::operation::Call;
use crate::problem::Problem;

/// So many are on a page when nobody says how many.
const USUAL: u64 = 100;
/// So many are on a page at most.
const MOST: u64 = 1_000;

/// Returns how many are wanted: 1 to 1 000, as many as usual when nothing is said.
pub(crate) fn count(limit: Option<u64>) -> u64 {
    limit.unwrap_or(USUAL).clamp(1, MOST)
}

impl<Q, B> Call<Q, B> {
    /// Opens a cursor: the place, of `N` bytes, at which the page begins; absent or empty: at the beginning. `question` is what else was asked: a
    /// cursor of another question is refused.
    pub(crate) fn opened<const N: usize>(
        &self,
        cursor: Option<&str>,
        question: &str,
    ) -> Result<Option<[u8; N]>, Problem> {
        let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else {
            return Ok(None);
        };
        let (organisation, now) = (self.holder.organisation.id, self.api.app.now());
        let opened = self.api.cursors.open(cursor, organisation, question, now)?;
        Ok(Some(opened))
    }

    /// Makes the cursor of the page that begins at a place.
    pub(crate) fn sealed(&self, place: &[u8], question: &str) -> String {
        let (organisation, now) = (self.holder.organisation.id, self.api.app.now());
        self.api.cursors.seal(place, organisation, question, now)
    }
}
