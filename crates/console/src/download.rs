//! Files that are made while they are sent: CSV and JSON lines.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http_body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::form::Form;
use crate::problem::Problem;

/// How many files are made at the same time. Each reads much, and lasts as long as somebody takes it in.
const FILES: usize = 4;

/// The turns in which files are made.
#[derive(Debug, Clone)]
pub(crate) struct Files(Arc<Semaphore>);

impl Default for Files {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(FILES)))
    }
}

impl Files {
    /// Returns a turn, to be kept until the file is made.
    ///
    /// # Errors
    /// [`Problem::Busy`] when all are taken: nobody is kept waiting for as long as others take.
    pub(crate) fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = Arc::clone(&self.0).try_acquire_owned();
        turn.map_err(|_| Problem::Busy)
    }
}

/// A body whose pieces come from somewhere else, one at a time.
struct Pieces(mpsc::Receiver<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.0.poll_recv(context);
        piece.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// Answers with a file whose pieces are sent into the sender; who sends waits for who reads.
pub(crate) fn streamed(name: &str, media_type: &'static str) -> (mpsc::Sender<Bytes>, Response) {
    let (sender, pieces) = mpsc::channel(2);
    let mut response = Body::new(Pieces(pieces)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    let disposition = format!("attachment; filename=\"{name}\"");
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    (sender, response)
}

/// How a file of entries is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileFormat {
    /// For spreadsheets.
    Csv,
    /// For programs: an object on each line.
    JsonLines,
}

impl FileFormat {
    /// Reads what was asked for in the field `format`.
    pub(crate) fn of(form: &Form) -> Self {
        match form.text("format") {
            "jsonl" => Self::JsonLines,
            _ => Self::Csv,
        }
    }

    /// Answers with a file of this format, as [`streamed`].
    pub(crate) fn begin(self, name: &str) -> (mpsc::Sender<Bytes>, Response) {
        match self {
            Self::Csv => streamed(&format!("{name}.csv"), "text/csv; charset=utf-8"),
            Self::JsonLines => streamed(&format!("{name}.jsonl"), "application/x-ndjson"),
        }
    }
}

/// The last line of a file whose rest could not be read: nobody is to take it for the whole.
pub(crate) fn ended_early() -> Bytes {
    Bytes::from_static(b"the file ends here: the log could not be read further\r\n")
}

/// Answers with a CSV file.
pub(crate) fn csv(name: &str, text: String) -> Response {
    let (sender, response) = streamed(name, "text/csv; charset=utf-8");
    drop(sender.try_send(Bytes::from(text)));
    response
}

/// Answers with a JSON file.
pub(crate) fn json(name: &str, document: &serde_json::Value) -> Response {
    let (sender, response) = streamed(name, "application/json");
    drop(sender.try_send(Bytes::from(format!("{document:#}\n"))));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_files_are_made_at_once_and_no_more() {
        let files = Files::default();
        let mut turns: Vec<_> = (0..FILES).map(|_| files.turn().unwrap()).collect();

        assert!(matches!(files.turn(), Err(Problem::Busy)));
        turns.pop();
        drop(files.turn().unwrap());
    }
}
