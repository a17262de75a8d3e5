use tokio::sync::watch;

/// Tells handlers that wait for news that the server is about to stop.
#[derive(Debug, Clone)]
pub struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// The sender says `true` when the server stops.
    pub fn new(told: watch::Receiver<bool>) -> Self {
        Self(told)
    }

    /// Ends when the server stops.
    pub async fn wait(&mut self) {
        // Without a sender nobody can stop the server in an orderly way any more.
        if self.0.wait_for(|stopping| *stopping).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
