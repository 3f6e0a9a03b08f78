//! What only endpoints that are awaited can get wrong: futures that are dropped, tasks that share,
//! readiness that a runtime remembers, pipe ends that are the runtime's own.

mod clock;
mod dropped;
mod framed;
mod given_up;
mod limit;
mod readiness;
mod streams;
mod tasks;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use dropped::Pace;

/// Polls a future so many times and then drops it; `None` where that was before its end.
pub(crate) async fn cut_after<T>(
    polls: usize,
    pace: Pace,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(answer) => return Poll::Ready(Some(answer)),
            // Dropped at the very poll, whether it would ever be woken or not.
            Poll::Pending if left == 0 => return Poll::Ready(None),
            Poll::Pending => {}
        }
        if pace == Pace::Eager {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}
