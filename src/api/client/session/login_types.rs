use ruma::api::client::session::get_login_types::v3::{
    ApplicationServiceLoginType, LoginType, PasswordLoginType, Request, Response, TokenLoginType,
};

use crate::{MatrixError, Public, Reply};

/// `GET /_matrix/client/v3/login`
pub async fn login_types(_: Public<Request>) -> Result<Reply<Response>, MatrixError> {
    let mut token = TokenLoginType::new();
    token.get_login_token = true;
    Ok(Reply(Response::new(vec![
        LoginType::Password(PasswordLoginType::new()),
        LoginType::Token(token),
        LoginType::ApplicationService(ApplicationServiceLoginType::new()),
    ])))
}
