use ruma::api::client::discovery::get_supported_versions::{Request, Response};

use crate::{MatrixError, Public, Reply};

/// Versions of the client-server API whose endpoints clients may use here.
const VERSIONS: &[&str] = &[
    "r0.0.1", "r0.1.0", "r0.2.0", "r0.3.0", "r0.4.0", "r0.5.0", "r0.6.0", "r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4",
    "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11", "v1.12",
];

/// What clients use before the version that brings it, all of it done here.
const FEATURES: &[&str] = &[
    "com.beeper.msc4169",
    "fi.mau.msc2246.stable",
    "org.matrix.e2e_cross_signing",
    "org.matrix.msc3391",
    "org.matrix.msc3440.stable",
    "org.matrix.msc3814",
    "org.matrix.msc3874",
    "org.matrix.msc3916.stable",
    "org.matrix.msc4140",
    "org.matrix.msc4155",
    "org.matrix.msc4222",
    "org.matrix.msc4380.stable",
    "uk.tcpip.msc4133.stable",
];

/// `GET /_matrix/client/versions`
pub async fn versions(_: Public<Request>) -> Result<Reply<Response>, MatrixError> {
    let mut response = Response::new(VERSIONS.iter().map(ToString::to_string).collect());
    response.unstable_features = FEATURES.iter().map(|feature| ((*feature).to_owned(), true)).collect();
    Ok(Reply(response))
}
