use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::BoxError;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// How long a client may send nothing of a body that it has begun.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body that ends with an error when its sender says nothing for too long.
pub(super) struct Patient<B> {
    body: B,
    /// Set while a part is awaited.
    waits: Option<Pin<Box<Sleep>>>,
}

impl<B> Patient<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body, waits: None }
    }
}

impl<B: Body<Error: Into<BoxError>> + Unpin> Body for Patient<B> {
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.waits = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let waits = this.waits.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        ready!(waits.as_mut().poll(cx));
        Poll::Ready(Some(Err("the rest of the body did not come".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body as AnyBody;
    use futures::{StreamExt, stream};

    use super::*;

    async fn read(body: AnyBody) -> Result<usize, BoxError> {
        Ok(axum::body::to_bytes(AnyBody::new(Patient::new(body)), 100).await?.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_ends_and_a_slow_one_does_not() {
        let slow = stream::iter(0..5).then(async |_| {
            sleep(PATIENCE - Duration::from_secs(1)).await;
            Ok::<_, BoxError>("x")
        });
        assert_eq!(read(AnyBody::from_stream(slow)).await.unwrap(), 5);
        let begun = stream::iter([Ok::<_, BoxError>("x")]).chain(stream::pending());
        assert!(read(AnyBody::from_stream(begun)).await.is_err());
    }
}
