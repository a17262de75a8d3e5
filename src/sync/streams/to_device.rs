//! Messages to the device that syncs.

use kv::{Positions, View};

use crate::{Request, Response, Result, Sync, SyncToken, span::Span};

/// Up to where the device has its messages.
fn mailed(token: &SyncToken) -> &Positions {
    token.mail.as_ref().unwrap_or(&token.positions)
}

/// Removes the messages that the token shows the device to have. A token without any shows nothing new: those before it
/// went when the device came with the token that had them.
pub async fn acknowledge(sync: &Sync, request: &Request, token: Option<&SyncToken>) -> Result<()> {
    if let (Some(mail), Some(device)) = (token.and_then(|token| token.mail.as_ref()), &request.device) {
        sync.mailbox.acknowledge(&request.user, device, mail).await?;
    }
    Ok(())
}

/// Adds the messages that come next.
pub async fn read(
    sync: &Sync,
    view: &View,
    request: &Request,
    token: Option<&SyncToken>,
    response: &mut Response,
) -> Result<()> {
    let Some(device) = &request.device else { return Ok(()) };
    let span = Span { since: token.map(|token| &token.positions), upto: view.positions() };
    if !token.is_some_and(SyncToken::is_behind) && !sync.user_changed(&request.user, span) {
        return Ok(());
    }
    let mail = sync.mailbox.read(view, &request.user, device, token.map(mailed), view.positions()).await?;
    response.to_device = mail.messages.into_iter().map(String::into_bytes).collect();
    response.to_device_upto = mail.upto;
    Ok(())
}
