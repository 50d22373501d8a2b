//! Reading a request body within a limit.
//!
//! Nothing is set aside for a length that is only announced: memory grows with what has arrived.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use kernel::{Error, ErrorKind, Result};

/// How long the next piece of a body may take to arrive.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads `body` to its end, at most `limit` bytes.
///
/// # Errors
/// `TooLarge` (code `RequestBodyTooLarge`), at once when the announced `Content-Length` is above the
/// limit; `Invalid` (code `IncompleteBody`) when the client breaks off or stops sending.
pub async fn read(mut body: Body, limit: usize) -> Result<Bytes> {
    // A known Content-Length shows here as an exact size.
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(too_large(limit, &format!("{announced} bytes were announced")));
    }
    let mut first = Bytes::new();
    let mut gathered = BytesMut::new();
    while let Some(data) = next_piece(&mut body).await? {
        let length = first.len() + gathered.len() + data.len();
        if length > limit {
            return Err(too_large(limit, &format!("at least {length} bytes were sent")));
        }
        // A body that arrives in one piece, as most do, is not copied.
        if first.is_empty() && gathered.is_empty() {
            first = data;
            continue;
        }
        if gathered.is_empty() {
            gathered.reserve(length);
            gathered.extend_from_slice(&std::mem::take(&mut first));
        }
        gathered.extend_from_slice(&data);
    }
    Ok(if gathered.is_empty() { first } else { gathered.freeze() })
}

async fn next_piece(body: &mut Body) -> Result<Option<Bytes>> {
    loop {
        let frame = tokio::time::timeout(PIECE_TIMEOUT, body.frame())
            .await
            .map_err(|_| incomplete("it stopped arriving"))?;
        match frame {
            None => return Ok(None),
            Some(Err(cause)) => {
                return Err(incomplete("the connection or its framing broke")
                    .context(format!("reading the body failed: {cause}")));
            }
            // Trailers carry nothing that any service here reads.
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn too_large(limit: usize, found: &str) -> Error {
    let message = format!(
        "The request body is too large: {found}, the limit is {limit} bytes. Send less at a time."
    );
    Error::new(ErrorKind::TooLarge, "RequestBodyTooLarge", message)
}

fn incomplete(what: &str) -> Error {
    let message = format!(
        "The request body did not arrive whole: {what}. Send as many bytes as Content-Length says."
    );
    Error::new(ErrorKind::Invalid, "IncompleteBody", message)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    /// A body without an announced length that yields its pieces, then ends or stalls.
    struct Pieces {
        left: Vec<&'static str>,
        stalls: bool,
    }

    impl hyper::body::Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
            match self.left.pop() {
                Some(piece) => {
                    Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
                }
                None if self.stalls => Poll::Pending,
                None => Poll::Ready(None),
            }
        }
    }

    fn pieces(pieces: &[&'static str], stalls: bool) -> Body {
        Body::new(Pieces { left: pieces.iter().rev().copied().collect(), stalls })
    }

    #[tokio::test]
    async fn pieces_are_joined_in_order_up_to_the_limit() {
        let read = read(pieces(&["ab", "", "cd", "ef"], false), 6).await.unwrap();
        assert_eq!(read, Bytes::from_static(b"abcdef"));
    }

    #[tokio::test]
    async fn an_announced_length_above_the_limit_is_refused_before_reading() {
        let error = read(Body::from("abcdefg"), 6).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(
            error.message().contains("7 bytes were announced, the limit is 6 bytes"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_body_that_outgrows_the_limit_is_refused_on_the_way() {
        // It would stall after the second piece, so a reader that goes on would never return.
        let error = read(pieces(&["abcd", "efg"], true), 6).await.unwrap_err();
        assert!(error.message().contains("at least 7 bytes were sent"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_arriving_is_given_up() {
        let error = read(pieces(&["abcd"], true), 6).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "IncompleteBody"));
    }
}
