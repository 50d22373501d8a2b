//! Turning a panic inside a future into a value, so that one defect costs one request or one task.
//!
//! The panic hook of the process still runs first; this module only keeps the unwinding from going
//! further.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Runs `future`; a panic in it becomes an error with the panic's text.
///
/// The future is dropped afterwards and never polled again, so no state that it left half-changed
/// is seen through it.
pub(crate) async fn caught<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(panic) => Poll::Ready(Err(text(panic.as_ref()))),
    })
    .await
}

fn text(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without text".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_after_an_await_becomes_its_text() {
        let outcome = caught(async {
            tokio::task::yield_now().await;
            let number = 7;
            panic!("number {number}");
        })
        .await;
        assert_eq!(outcome, Err::<(), _>("number 7".to_owned()));
    }

    #[tokio::test]
    async fn a_future_that_ends_well_keeps_its_output() {
        assert_eq!(caught(async { 3 }).await, Ok(3));
    }
}
