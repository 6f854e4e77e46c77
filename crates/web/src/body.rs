//! Reading a body: bounded in size, in pause and in time.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout, timeout_at};

use crate::limits;
use crate::room::{Full, Place};

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is longer than allowed.
    TooLarge {
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// It paused, or took, too long.
    TooSlow,
    /// The connection broke, or the framing was wrong.
    Broken,
    /// There was no room for it.
    NoRoom,
}

/// Reads a body of at most `limit` bytes. Without a place it is one of those that are short.
///
/// # Errors
/// [`Unread`]; nothing of the body is kept.
pub async fn read(mut body: Body, limit: usize, place: Option<&Place>) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > limit as u64 {
        swallow(&mut body).await;
        return Err(Unread::TooLarge { limit });
    }
    let length = body
        .size_hint()
        .exact()
        .and_then(|length| usize::try_from(length).ok());
    let end = Instant::now() + limits::BODY_TIME;
    let mut read = BytesMut::new();
    loop {
        let frame = timeout_at(end, timeout(limits::BODY_IDLE, body.frame()))
            .await
            .map_err(|_| Unread::TooSlow)?
            .map_err(|_| Unread::TooSlow)?;
        let Some(frame) = frame else {
            return Ok(read.freeze());
        };
        if let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() {
            if read.len() + data.len() > limit {
                swallow(&mut body).await;
                return Err(Unread::TooLarge { limit });
            }
            if let Some(place) = place {
                let come = read.len() + data.len();
                place
                    .hold(needed(come, length))
                    .await
                    .map_err(|Full| Unread::NoRoom)?;
            }
            read.extend_from_slice(&data);
        }
    }
}

/// Returns for how many bytes there has to be room when so many have come: for what comes free of room none is taken, and then for the whole
/// body at once where its length is known. Several that took room piece by piece would each have a part of it, and wait for each other.
fn needed(come: usize, length: Option<usize>) -> usize {
    match length {
        Some(length) if come > limits::ROOM_FREE_BYTES => come.max(length),
        _ => come,
    }
}

/// Reads what is still coming and forgets it, within bounds: a client that is answered while it writes sees a broken connection, and
/// never the answer.
async fn swallow(body: &mut Body) {
    let end = Instant::now() + limits::SWALLOW_TIME;
    let mut left = limits::SWALLOW_BYTES;
    while left > 0 {
        let frame = timeout_at(end, timeout(limits::SWALLOW_IDLE, body.frame())).await;
        let Ok(Ok(Some(Ok(frame)))) = frame else {
            return;
        };
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
    }
}

/// What nobody has read of a body that was handed on.
pub(crate) struct Rest(Arc<Mutex<Body>>);

/// A body that was handed on, and that somebody looks after.
struct Lent(Arc<Mutex<Body>>);

/// Hands the body of a request on; what is left of it when the request is answered can be read to its end, see [`Rest::finish`].
pub(crate) fn lend(request: &mut http::Request<Body>) -> Rest {
    let body = Arc::new(Mutex::new(std::mem::take(request.body_mut())));
    *request.body_mut() = Body::new(Lent(Arc::clone(&body)));
    Rest(body)
}

impl Rest {
    /// Reads what nobody has read, and forgets it; tells whether that was the end. A connection on which some of a request is still to come
    /// cannot be used for the next one.
    pub(crate) async fn finish(self) -> bool {
        let end = Instant::now() + limits::REST_TIME;
        let mut left = limits::REST_BYTES;
        loop {
            let frame = poll_fn(|context| Pin::new(&mut *locked(&self.0)).poll_frame(context));
            match timeout_at(end, frame).await {
                Ok(None) => return true,
                Ok(Some(Ok(frame))) => {
                    let bytes = frame.data_ref().map_or(0, Bytes::len);
                    let Some(fewer) = left.checked_sub(bytes) else {
                        return false;
                    };
                    left = fewer;
                }
                Ok(Some(Err(_))) | Err(_) => return false,
            }
        }
    }
}

fn locked(body: &Mutex<Body>) -> MutexGuard<'_, Body> {
    body.lock().unwrap_or_else(PoisonError::into_inner)
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *locked(&self.0)).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        locked(&self.0).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        locked(&self.0).size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::task::ready;
    use std::time::Duration;

    use tokio::time::Sleep;

    use super::*;
    use crate::room::Room;

    /// A body that sends a byte now and then, and never ends.
    struct Drip {
        every: Duration,
        next: Pin<Box<Sleep>>,
    }

    impl Drip {
        fn every(every: Duration) -> Body {
            let next = Box::pin(tokio::time::sleep(every));
            Body::new(Self { every, next })
        }
    }

    impl http_body::Body for Drip {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            ready!(self.next.as_mut().poll(context));
            self.next = Box::pin(tokio::time::sleep(self.every));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    /// A body of a known length that comes in pieces, with a pause before each.
    struct Pieces {
        left: usize,
        next: Pin<Box<Sleep>>,
    }

    const PIECE: usize = 1024 * 1024;

    impl Pieces {
        fn of(length: usize) -> Body {
            let next = Box::pin(tokio::time::sleep(Duration::from_millis(10)));
            Body::new(Self { left: length, next })
        }
    }

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            ready!(self.next.as_mut().poll(context));
            let piece = PIECE.min(self.left);
            if piece == 0 {
                return Poll::Ready(None);
            }
            self.next = Box::pin(tokio::time::sleep(Duration::from_millis(10)));
            self.left -= piece;
            Poll::Ready(Some(Ok(Frame::data(vec![b'x'; piece].into()))))
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.left as u64)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn long_bodies_that_do_not_fit_together_are_read_one_after_the_other() {
        let room = Room::default();
        let whose = rollcall_model::OrgId::from_bytes([1; 16]);
        let long = limits::ROOM_BYTES_OF_ONE / 2;
        let one = async || {
            let place = room.place(whose);
            let read = read(Pieces::of(long), long, Some(&place)).await;
            read.map(|bytes| bytes.len())
        };

        let all = tokio::join!(one(), one(), one());

        assert_eq!(all, (Ok(long), Ok(long), Ok(long)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_given_up_after_a_minute_and_one_that_pauses_sooner() {
        let begun = Instant::now();
        let dripping = read(Drip::every(Duration::from_secs(5)), 1_000, None).await;
        assert_eq!(dripping, Err(Unread::TooSlow));
        assert_eq!(begun.elapsed(), limits::BODY_TIME);

        let begun = Instant::now();
        let pausing = read(Drip::every(limits::BODY_IDLE * 2), 1_000, None).await;
        assert_eq!(pausing, Err(Unread::TooSlow));
        assert_eq!(begun.elapsed(), limits::BODY_IDLE);
    }
}
