//! Answers that go on: a JSON object a line (`application/x-ndjson`), written as they come.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use hyper::body::Frame;

/// An answer of the lines that `poll` gives, until it gives none. It is dropped with what it owns when
/// the reader goes away.
pub fn answer(
    poll: impl FnMut(&mut Context<'_>) -> Poll<Option<Bytes>> + Send + Unpin + 'static,
) -> Response {
    let headers = [(CONTENT_TYPE, "application/x-ndjson"), (CACHE_CONTROL, "no-store")];
    (headers, Body::new(Lines(poll))).into_response()
}

struct Lines<F>(F);

impl<F> hyper::body::Body for Lines<F>
where
    F: FnMut(&mut Context<'_>) -> Poll<Option<Bytes>> + Unpin,
{
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn lines_come_as_they_are_made_and_end_with_the_reader() {
        let (sender, mut lines) = mpsc::channel(2);
        let owned = Arc::new(());
        let held = Arc::clone(&owned);
        let answer = answer(move |context| {
            let _held = &held;
            lines.poll_recv(context)
        });
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/x-ndjson");
        let mut body = answer.into_body();
        for text in ["{}\n", "[]\n"] {
            sender.send(Bytes::from(text)).await.unwrap();
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), text);
        }
        drop(body);
        assert!(sender.is_closed());
        assert_eq!(Arc::strong_count(&owned), 1, "what it owned has gone with it");
    }
}
