//! The one style sheet, the one script and the one of the page that makes keys, under names that change with their content, so that browsers may keep them for a year.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use ring::digest::{SHA256, digest};
use rollcall_web::table::{Entry, Public, Table};

use crate::problem;

/// The style sheet.
pub(crate) const STYLE: &str = include_str!("../assets/style.css");
/// The script.
pub(crate) const SCRIPT: &str = include_str!("../assets/console.js");
/// The script of the page on which an account is activated.
pub(crate) const ACTIVATE: &str = include_str!("../assets/activate.js");

/// The name of the style sheet in addresses.
pub(crate) static STYLE_NAME: LazyLock<String> = LazyLock::new(|| named("style", STYLE, "css"));
/// The name of the script in addresses.
pub(crate) static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| named("console", SCRIPT, "js"));
/// The name of the script that makes keys, in addresses.
pub(crate) static ACTIVATE_NAME: LazyLock<String> =
    LazyLock::new(|| named("activate", ACTIVATE, "js"));

fn named(stem: &str, content: &str, ending: &str) -> String {
    let hash = digest(&SHA256, content.as_bytes());
    let [a, b, c, d, ..] = hash.as_ref() else {
        return format!("{stem}.{ending}");
    };
    format!("{stem}-{a:02x}{b:02x}{c:02x}{d:02x}.{ending}")
}

/// Returns their one route, and what is said to anyone where there is no page.
pub(crate) fn table() -> Table<(), Public> {
    Table::new(vec![Entry::get("/assets/{name}", Public, asset)])
        .or_no_path(Public, problem::no_page)
}

async fn asset(Path(name): Path<String>) -> Response {
    let (content, kind) = if name == *STYLE_NAME {
        (STYLE, "text/css; charset=utf-8")
    } else if name == *SCRIPT_NAME {
        (SCRIPT, "text/javascript; charset=utf-8")
    } else if name == *ACTIVATE_NAME {
        (ACTIVATE, "text/javascript; charset=utf-8")
    } else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = content.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// How large the style sheet may be, in bytes: it is the only thing that a first page waits for.
    const STYLE_BYTES: usize = 30 * 1024;

    #[test]
    fn the_style_sheet_keeps_its_budget() {
        assert!(STYLE.len() <= STYLE_BYTES, "{} bytes", STYLE.len());
    }

    #[test]
    fn every_class_of_the_style_sheet_is_in_a_template_or_in_code_that_fills_one() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut text = SCRIPT.to_owned();
        for folder in ["templates", "src"] {
            read(&root.join(folder), &mut text);
        }
        let words: BTreeSet<&str> = text.split(|letter| !is_of_a_name(letter)).collect();
        // `st-{{ row.tone }}`: any class that begins so
        let begun: BTreeSet<&str> = text
            .split("{{")
            .filter_map(|before| before.rsplit(|letter| !is_of_a_name(letter)).next())
            .filter(|word| word.ends_with('-'))
            .collect();

        let unused: Vec<&str> = classes(STYLE)
            .into_iter()
            .filter(|class| !words.contains(class))
            .filter(|class| !begun.iter().any(|begin| class.starts_with(begin)))
            .collect();

        assert!(
            unused.is_empty(),
            "in style.css, and used nowhere: {unused:?}"
        );
    }

    fn is_of_a_name(letter: char) -> bool {
        letter.is_alphanumeric() || letter == '-' || letter == '_'
    }

    /// Returns the classes in the selectors of a style sheet.
    fn classes(style: &str) -> BTreeSet<&str> {
        let selectors = style
            .split('{')
            .filter_map(|part| part.rsplit(['}', ';']).next());
        let begun = selectors.flat_map(|selector| selector.split('.').skip(1));
        begun
            .filter(|class| class.starts_with(|letter: char| letter.is_ascii_alphabetic()))
            .filter_map(|class| class.split(|letter| !is_of_a_name(letter)).next())
            .collect()
    }

    fn read(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, text);
            } else {
                text.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn the_classes_of_a_style_sheet_are_found() {
        let style = "a{b:.5em}.one:is(.two,.three-4)>b::after{c:url(x.svg)}@media (d){.five{e:f}}";

        let found: Vec<&str> = classes(style).into_iter().collect();

        assert_eq!(found, ["five", "one", "three-4", "two"]);
    }
}
