use ruma::api::client::account::whoami::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `GET /_matrix/client/v3/account/whoami`
pub async fn whoami(Authed { user, device, account, .. }: Authed<Request>) -> Result<Reply<Response>, MatrixError> {
    let mut response = Response::new(user, account.guest);
    response.device_id = device;
    Ok(Reply(response))
}
