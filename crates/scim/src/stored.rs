//! A stored document as it is shown, without reading it: what is known only when it is shown is written behind what was stored.

/// Returns a document that [`Resource::to_bytes`](crate::resource::Resource::to_bytes) wrote with its location, and with attributes that
/// are kept as rows: their names, and their values as JSON text. The names are not among those in the document.
///
/// `None` when the document has no `meta` at its end: then it has to be read.
pub fn shown(document: &[u8], location: &str, rows: &[(&str, String)]) -> Option<Vec<u8>> {
    // nothing in `meta` has braces of its own: the last one to open is its own
    let meta = document.iter().rposition(|byte| *byte == b'{')?;
    document.get(..meta)?.strip_suffix(b"\"meta\":")?;
    let open = document.strip_suffix(b"}}")?;
    let added: usize = rows
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4)
        .sum();
    let mut shown = Vec::with_capacity(open.len() + location.len() + added + 32);
    shown.extend_from_slice(open);
    shown.extend_from_slice(b",\"location\":");
    serde_json::to_writer(&mut shown, location).ok()?;
    shown.push(b'}');
    for (name, value) in rows {
        shown.push(b',');
        serde_json::to_writer(&mut shown, name).ok()?;
        shown.push(b':');
        shown.extend_from_slice(value.as_bytes());
    }
    shown.push(b'}');
    Some(shown)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::limits::STANDARD;
    use crate::resource::Resource;
    use crate::schema::Registry;

    #[test]
    fn what_is_written_behind_a_document_is_what_would_be_written_into_it() {
        let registry = Registry::standard();
        let body = json!({
            "schemas": [registry.user().schema.id], "meta": {"resourceType": "User"}, "userName": "{\"meta\":{}}",
            "name": {"familyName": "\"meta\":{"}, "emails": [{"value": "a@b.example"}],
        });
        let mut resource = Resource::from_request(registry.user(), body, &STANDARD).unwrap();
        resource.set_id("1");
        resource.set_meta("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", 3);

        let rows = [("groups", json!([{"value": "2"}]).to_string())];
        let shown = shown(&resource.to_bytes(), "https://x.example/\"", &rows).unwrap();

        let mut expected = resource.into_value();
        expected["meta"]["location"] = "https://x.example/\"".into();
        expected["groups"] = json!([{"value": "2"}]);
        assert_eq!(serde_json::from_slice::<Value>(&shown).unwrap(), expected);
    }

    #[test]
    fn a_document_that_does_not_end_with_its_meta_is_left_to_be_read() {
        for document in [
            "",
            "{}",
            r#"{"name":{"givenName":"Ann"}}"#,
            r#"{"meta":{"version":"1"},"name":{"givenName":"Ann"}}"#,
            r#"{"meta":{"version":"1"},"id":"1"}"#,
        ] {
            assert_eq!(shown(document.as_bytes(), "l", &[]), None, "{document}");
        }
    }
}
