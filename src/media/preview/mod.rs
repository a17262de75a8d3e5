//! Previews of links: what pages say of themselves. Client-server API, `GET /media/preview_url`.
//!
//! Pages and images are hostile: they are fetched through a filter of addresses of its own, within limits of time and
//! size and so many at a time, and nothing of a page is run or passed on but a few strings.

mod charset;
mod fetch;
mod page;
mod store;

use std::{collections::HashMap, sync::Arc};

use futures::future::{BoxFuture, FutureExt, Shared, WeakShared};
use outbound::{Outbound, Url};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use crate::{Media, PreviewsConfig, tables::Hash};

/// Pages that are fetched at the same time.
const AT_ONCE: usize = 8;

/// Why there is no preview.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PreviewError {
    /// There are none on this server.
    #[error("this server makes no previews of links")]
    Off,
    /// The address is none that can be previewed.
    #[error("{0}")]
    BadUrl(String),
    /// The page cannot be had.
    #[error("the page cannot be fetched: {0}")]
    Remote(String),
    /// The media store.
    #[error(transparent)]
    Media(#[from] crate::Error),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl kv::Conflicts for PreviewError {
    fn is_conflict(&self) -> bool {
        match self {
            Self::Media(error) => error.is_conflict(),
            Self::Store(error) => error.is_conflict(),
            _ => false,
        }
    }
}

type Result<T, E = PreviewError> = std::result::Result<T, E>;
type Flight = BoxFuture<'static, Result<Arc<str>>>;

/// Previews of links. Cheap to clone.
#[derive(Clone)]
pub struct Previews {
    media: Media,
    outbound: Outbound,
    config: Arc<PreviewsConfig>,
    flights: Arc<Mutex<HashMap<Hash, WeakShared<Flight>>>>,
    turns: Arc<Semaphore>,
}

impl std::fmt::Debug for Previews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Previews").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Previews {
    /// Previews whose images go to `media`. `outbound` must let through what `config` says.
    pub fn new(media: Media, outbound: Outbound, config: PreviewsConfig) -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { media, outbound, config: Arc::new(config), flights: Arc::default(), turns }
    }

    /// Whether there are any.
    pub fn are_on(&self) -> bool {
        self.config.enabled
    }

    /// What the page at `url` says of itself: OpenGraph properties as a JSON object. Empty if it says nothing.
    ///
    /// # Errors
    /// [`PreviewError::Off`], [`PreviewError::BadUrl`], [`PreviewError::Remote`].
    pub async fn preview(&self, url: &str) -> Result<Arc<str>> {
        if !self.config.enabled {
            return Err(PreviewError::Off);
        }
        let url = Url::parse(url).map_err(|error| PreviewError::BadUrl(error.to_string()))?;
        let key: Hash = blake3::hash(url.as_str().as_bytes()).into();
        if let Some(known) = self.known(key).await? {
            return Ok(known);
        }
        self.join(key, url).await
    }

    /// The fetch of this page that is under way, or a new one. A failure is forgotten with its last waiter.
    fn join(&self, key: Hash, url: Url) -> Shared<Flight> {
        let mut all = self.flights.lock();
        if let Some(flight) = all.get(&key).and_then(WeakShared::upgrade) {
            return flight;
        }
        all.retain(|_, flight| flight.upgrade().is_some());
        let previews = self.clone();
        let flight = async move { previews.make(key, &url).await }.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            all.insert(key, weak);
        }
        flight
    }

    async fn make(&self, key: Hash, url: &Url) -> Result<Arc<str>> {
        let _turn = self.turns.acquire().await.map_err(|_| PreviewError::Off)?;
        let (properties, image) = self.look(url).await?;
        let json: Arc<str> = Value::Object(properties).to_string().into();
        self.remember(key, &json, image).await?;
        Ok(json)
    }

    /// Fetches what is at `url`; answers what to say of it, and the id of the image that was stored for it.
    async fn look(&self, url: &Url) -> Result<(Map<String, Value>, Option<crate::MediaId>)> {
        match self.fetch(url).await? {
            fetch::Found::Page { url, text } => {
                let mut properties = page::properties(&text);
                let image = properties.remove(page::IMAGE).and_then(|image| url.join(image.as_str()?).ok());
                let stored = match image {
                    Some(image) => self.image(&image).await?,
                    None => None,
                };
                let id = stored.map(|stored| stored.describe(self.media.server(), &mut properties));
                Ok((properties, id))
            }
            fetch::Found::Image(stored) => {
                let mut properties = Map::new();
                let name = url.path_and_query();
                let name = name.split('?').next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
                if !name.is_empty() {
                    properties.insert("og:title".into(), name.into());
                }
                let id = stored.describe(self.media.server(), &mut properties);
                Ok((properties, Some(id)))
            }
            fetch::Found::Nothing => Ok((Map::new(), None)),
        }
    }
}
