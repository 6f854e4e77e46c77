//! Reads sources to their end.

use std::path::PathBuf;

use rollcall_connect::sources::files::Files;
use rollcall_connect::sources::{
    BATCH, Batch, Completeness, Refusal, Source, SourceRecord, Unread,
};
use rollcall_model::Kind;
use rollcall_scim::limits::STANDARD;
use rollcall_scim::schema::Registry;

/// All that a source gave.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) records: Vec<SourceRecord>,
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) completeness: Completeness,
}

impl Reading {
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.records
            .iter()
            .map(|record| record.key.as_str())
            .collect()
    }

    /// Returns why it is incomplete.
    #[track_caller]
    pub(crate) fn reason(&self) -> &str {
        match &self.completeness {
            Completeness::Incomplete(reason) | Completeness::Empty(reason) => reason,
            Completeness::Complete => panic!("the reading is complete"),
        }
    }
}

pub(crate) async fn read(source: &mut dyn Source) -> Result<Reading, Unread> {
    let (mut records, mut refusals) = (Vec::new(), Vec::new());
    loop {
        match source.next().await? {
            Batch::Records(some, refused) => {
                assert!(some.len() + refused.len() <= BATCH);
                records.extend(some);
                refusals.extend(refused);
            }
            Batch::End(completeness) => {
                return Ok(Reading {
                    records,
                    refusals,
                    completeness,
                });
            }
        }
    }
}

/// Writes files and reads them as a source.
pub(crate) async fn read_files(files: &[(Kind, &str, &[u8])]) -> Result<Reading, Unread> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<(Kind, PathBuf)> = files
        .iter()
        .map(|(kind, name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            (*kind, path)
        })
        .collect();
    read(&mut Files::new(paths, Registry::standard(), STANDARD)).await
}

pub(crate) async fn read_people(text: &str) -> Result<Reading, Unread> {
    read_files(&[(Kind::User, "people.csv", text.as_bytes())]).await
}
