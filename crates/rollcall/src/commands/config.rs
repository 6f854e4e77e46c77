//! `rollcall config`.

use serde_json::{Map, json};

use crate::config::Config;
use crate::outcome::Exit;
use crate::printer;

pub(crate) fn show(config: &Config, as_json: bool) -> anyhow::Result<Exit> {
    if as_json {
        let fields: Map<_, _> = config
            .rows()
            .into_iter()
            .map(|[name, value, source]| (name, json!({"value": value, "source": source})))
            .collect();
        printer::json(&fields)?;
    } else {
        printer::table(["setting", "value", "from"], config.rows());
    }
    Ok(Exit::Done)
}
