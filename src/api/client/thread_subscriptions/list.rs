use axum::extract::State;
use push::{Subscription, Subscriptions};
use ruma::{
    UInt,
    api::client::threads::get_thread_subscriptions_changes::unstable::{
        Request, Response, ThreadSubscription, ThreadUnsubscription,
    },
};

use crate::{Authed, MatrixError, Reply, client::point::page_size};

/// `GET /_matrix/client/unstable/io.element.msc4308/thread_subscriptions`
pub async fn list(
    State(subscriptions): State<Subscriptions>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let limit = page_size(req.limit, 100).max(1);
    let (changes, end) = subscriptions.changes(&user, req.from.as_deref(), req.to.as_deref(), limit).await?;
    let mut response = Response::new();
    for change in changes {
        let bump = UInt::new_saturating(change.bump);
        match change.subscription {
            Subscription::On { automatic } => {
                let threads = response.subscribed.entry(change.room).or_default();
                threads.insert(change.root, ThreadSubscription::new(automatic, bump));
            }
            Subscription::Off(_) => {
                let threads = response.unsubscribed.entry(change.room).or_default();
                threads.insert(change.root, ThreadUnsubscription::new(bump));
            }
        }
    }
    response.end = end;
    Ok(Reply(response))
}
