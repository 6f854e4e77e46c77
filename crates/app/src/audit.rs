//! The chain of the audit log: verified from its beginning, and its head to keep elsewhere.

use jiff::Timestamp;
use rollcall_model::OrgId;
use rollcall_model::chain::{Head, Outcome, Verification};

use crate::{App, Failure};

/// So many entries are read together.
const PAGE: u64 = 1_000;

impl App {
    /// Reads the audit log of an organisation from its beginning and tells what is wrong with it. `kept` is a head of this log that was
    /// kept elsewhere.
    ///
    /// The log is read in parts, and whoever writes goes on meanwhile: what they append is verified too.
    pub async fn verify_audit(
        &self,
        organisation: OrgId,
        kept: Option<Head>,
    ) -> Result<Outcome, Failure> {
        let tenant = self.store().tenant(organisation);
        let mut verification = Verification::new(organisation, kept);
        let mut after = None;
        loop {
            let (entries, head) = tenant
                .read::<_, Failure, _>(move |reader| {
                    Ok((reader.chain(after, PAGE)?, reader.audit_head()?))
                })
                .await?;
            // the head belongs to the moment at which nothing more was there
            if entries.is_empty() {
                return Ok(verification.end(head));
            }
            for entry in entries {
                after = Some(entry.sequence);
                verification.take(entry);
            }
        }
    }

    /// Returns the head of an organisation's audit log, and when its last entry was written; absent: there is none.
    pub async fn audit_head(
        &self,
        organisation: OrgId,
    ) -> Result<(Head, Option<Timestamp>), Failure> {
        self.store()
            .tenant(organisation)
            .read(|reader| {
                let last = reader.audit(None, 1)?;
                Ok((reader.audit_head()?, last.first().map(|entry| entry.at)))
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use rollcall_model::Kind;
    use serde_json::json;

    use crate::testing::Installation;

    #[tokio::test]
    async fn what_use_cases_write_is_a_chain_that_goes_on_from_its_head() {
        let installation = Installation::new().await;
        let (app, context) = (&installation.app, installation.command());
        let id = installation.organisation.id;
        let (kept, at) = app.audit_head(id).await.unwrap();
        assert_eq!((kept.sequence, at), (1, Some(app.now())));
        for name in ["ann", "bob"] {
            let body = json!({"userName": name});
            app.create(&context, Kind::User, body).await.unwrap();
        }

        let outcome = app.verify_audit(id, Some(kept)).await.unwrap();

        assert_eq!((outcome.entries, outcome.damages), (3, vec![]));
        assert_eq!(outcome.head, app.audit_head(id).await.unwrap().0);
    }
}
