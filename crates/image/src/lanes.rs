//! Several things at once on one thread: what pulls and pushes of layers are driven by.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use crate::error::Result;

/// Layers at once. More would share the same cores and the same line; each costs some 10 MiB of buffers.
pub(crate) const LANES: usize = 4;

/// One of them: takes from a queue until that is empty.
pub(crate) type Lane<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// Drives all lanes on this thread until all are done, or one has failed: then the others are dropped.
pub(crate) async fn all(mut lanes: Vec<Lane<'_>>) -> Result<()> {
    std::future::poll_fn(|context| {
        let mut failed = None;
        lanes.retain_mut(|lane| match lane.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                failed = failed.take().or(result.err());
                false
            }
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if lanes.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await
}
