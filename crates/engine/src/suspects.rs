//! Who would become a duplicate in a first cycle: no matching attribute finds him in the target, and yet there is an account that looks like
//! his.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rollcall_model::{Kind, ResourceId};
use rollcall_scim::key::canonical;
use rollcall_sync::plan::Suspect;
use rollcall_sync::target_path::TargetPath;
use rollcall_sync::task::{Extent, Trouble};
use rollcall_sync::wish::{Surroundings, Wish};
use serde_json::{Map, Value};

use crate::Error;
use crate::objects::next_page;
use crate::survey::Candidates;
use crate::work::{Work, stopped};

/// What accounts are compared by, the most telling first.
const ATTRIBUTES: [&str; 4] = [
    "emails[type eq \"work\"].value",
    "userName",
    "externalId",
    "displayName",
];
/// How many accounts of the target are read at once, and how many in all.
const PAGE: u64 = 200;
const MOST: u64 = 200_000;

/// Finds who of `created` looks like an account of the target.
pub(crate) async fn of(
    work: &Arc<Work>,
    candidates: &Candidates,
    created: &BTreeSet<ResourceId>,
) -> Result<Result<Vec<Suspect>, Trouble>, Error> {
    if created.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let paths: Vec<TargetPath> = ATTRIBUTES
        .iter()
        .filter_map(|text| TargetPath::parse(text).ok())
        .collect();
    let accounts = match accounts(work, &paths).await {
        Ok(accounts) => accounts,
        Err(trouble) if trouble.extent == Extent::Target => return Err(stopped(&trouble)),
        // it is advice, and a target that cannot list can be provisioned
        Err(trouble) => return Ok(Err(trouble)),
    };
    let mut suspects = Vec::new();
    if accounts.is_empty() {
        return Ok(Ok(suspects));
    }
    let rules = work.rules.of(Kind::User);
    let mut after = None;
    while let Some(page) = next_page(work, candidates, Kind::User, &mut after).await? {
        for known in page {
            if !created.contains(&known.object.id) {
                continue;
            }
            let surroundings = Surroundings {
                now: work.at,
                randomness: &**work.app.randomness(),
            };
            let Ok(wish) = Wish::of(rules, &known.object, &surroundings) else {
                continue;
            };
            let Ok((body, _)) = wish.creation(rules, "") else {
                continue;
            };
            let likeness = paths.iter().find_map(|path| {
                let value = text(path, &body)?;
                let account = accounts.get(&(path.to_string(), canonical(value)))?;
                Some((path, value, account))
            });
            if let Some((path, value, account)) = likeness {
                suspects.push(Suspect {
                    name: known.object.name().unwrap_or_default().to_owned(),
                    account: account.clone(),
                    attribute: path.to_string(),
                    value: value.to_owned(),
                });
            }
        }
    }
    Ok(Ok(suspects))
}

/// Reads the accounts of the target: by attribute and value, their names.
async fn accounts(
    work: &Work,
    paths: &[TargetPath],
) -> Result<HashMap<(String, String), String>, Trouble> {
    let mut accounts = HashMap::new();
    let mut start = 1;
    loop {
        let page = work.target.page(Kind::User, start, PAGE).await?;
        for account in &page.resources {
            let Some(name) = ["userName", "id"]
                .iter()
                .find_map(|name| account.get(*name)?.as_str())
            else {
                continue;
            };
            for path in paths {
                if let Some(value) = text(path, account) {
                    let key = (path.to_string(), canonical(value));
                    accounts.entry(key).or_insert_with(|| name.to_owned());
                }
            }
        }
        let read = page.resources.len() as u64;
        start += read;
        if read == 0 || start > page.total || start > MOST {
            return Ok(accounts);
        }
    }
}

fn text<'r>(path: &TargetPath, resource: &'r Map<String, Value>) -> Option<&'r str> {
    let value = path.find(resource)?.as_str()?;
    (!value.is_empty()).then_some(value)
}
