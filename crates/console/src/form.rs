//! What a form sends: names and values, in order, and files.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// How many fields a form may have: an attribute list of hundreds of attributes has several for each.
const FIELDS: usize = 10_000;

/// The fields of a form, in order. A name may come several times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
}

/// A body that is not a form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAForm {
    /// It has another content type.
    #[error("this is not a form")]
    ContentType,
    /// It breaks the rules of its content type.
    #[error("the form did not arrive whole: send it again")]
    Malformed,
    /// It has too many fields.
    #[error("the form has more than {FIELDS} fields")]
    TooLong,
}

impl Form {
    /// Reads a body.
    pub(crate) async fn parse(headers: &HeaderMap, body: Bytes) -> Result<Self, NotAForm> {
        let kind = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let fields = if kind.starts_with("application/x-www-form-urlencoded") {
            if std::str::from_utf8(&body).is_err() {
                return Err(NotAForm::Malformed);
            }
            url::form_urlencoded::parse(&body)
                .take(FIELDS + 1)
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect()
        } else if let Ok(boundary) = multer::parse_boundary(kind) {
            parts(boundary, body).await?
        } else {
            return Err(NotAForm::ContentType);
        };
        if fields.len() > FIELDS {
            return Err(NotAForm::TooLong);
        }
        Ok(Self { fields })
    }

    /// Makes a form of a query.
    pub(crate) fn of_query(query: &str) -> Self {
        let fields = url::form_urlencoded::parse(query.as_bytes())
            .take(FIELDS)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Self { fields }
    }

    /// Returns the first value of a field, without white space around it; empty when there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// Returns the first value of a field as it was typed; for passwords and texts of many lines.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.fields
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    /// Returns the value of a field, unless it is empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Tells whether a field was sent: a box was ticked, a button was pressed.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(key, _)| key == name)
    }

    /// Returns every value of a field.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.fields
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns all fields, in order.
    pub(crate) fn fields(&self) -> &[(String, String)] {
        &self.fields
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Form {
    fn from(fields: [(&str, &str); N]) -> Self {
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            fields: fields.into(),
        }
    }
}

async fn parts(boundary: String, body: Bytes) -> Result<Vec<(String, String)>, NotAForm> {
    let stream = futures_once(body);
    let mut parts = multer::Multipart::new(stream, boundary);
    let mut fields = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|_| NotAForm::Malformed)? {
        let name = part.name().unwrap_or_default().to_owned();
        let value = part.bytes().await.map_err(|_| NotAForm::Malformed)?;
        let value = String::from_utf8(value.to_vec()).map_err(|_| NotAForm::Malformed)?;
        fields.push((name, value));
        if fields.len() > FIELDS {
            return Err(NotAForm::TooLong);
        }
    }
    Ok(fields)
}

/// A stream of one piece: the body was read before, within its limits.
fn futures_once(body: Bytes) -> axum::body::BodyDataStream {
    axum::body::Body::from(body).into_data_stream()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parsed(kind: &str, body: &str) -> Result<Form, NotAForm> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        Form::parse(&headers, Bytes::from(body.to_owned())).await
    }

    #[tokio::test]
    async fn a_form_is_read_in_both_encodings() {
        let form = parsed("application/x-www-form-urlencoded", "a=1&b=%C3%A4+x&a=2").await;
        let form = form.unwrap();
        assert_eq!(form.text("b"), "ä x");
        assert_eq!(form.all("a").collect::<Vec<_>>(), ["1", "2"]);

        let body = "--X\r\nContent-Disposition: form-data; name=\"schema\"; filename=\"s.json\"\r\n\r\n{}\r\n--X--\r\n";
        let form = parsed("multipart/form-data; boundary=X", body).await;
        assert_eq!(form.unwrap().raw("schema"), "{}");
    }

    #[tokio::test]
    async fn what_is_no_form_is_refused() {
        let json = parsed("application/json", "{}").await;
        assert_eq!(json, Err(NotAForm::ContentType));
        let cut = parsed("multipart/form-data; boundary=X", "--X\r\nContent-Dispo").await;
        assert_eq!(cut, Err(NotAForm::Malformed));
        let long = parsed(
            "application/x-www-form-urlencoded",
            &"a=1&".repeat(FIELDS + 1),
        )
        .await;
        assert_eq!(long, Err(NotAForm::TooLong));
    }
}
