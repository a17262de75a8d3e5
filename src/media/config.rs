use serde::{Deserialize, Serialize};

/// `[media]`: what may be uploaded and how thumbnails are made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Largest file that may be uploaded, in bytes.
    pub max_upload_bytes: u64,
    /// Largest file of another server that is fetched for our users, in bytes.
    pub max_remote_bytes: u64,
    /// Media of other servers that nobody asked for in so many days is removed; it is fetched again when somebody asks
    /// for it. 0 keeps it.
    pub remote_keep_days: u32,
    /// How much media of other servers is kept, in MiB; beyond that the longest unused goes. 0 sets no limit.
    pub remote_keep_mb: u64,
    /// What one account may store in all, in bytes; 0 sets no limit.
    pub user_quota_bytes: u64,
    /// How many media ids an account may hold that nothing is uploaded to yet.
    pub max_pending_uploads: u32,
    /// Images with more pixels get no thumbnail.
    pub max_image_pixels: u64,
    /// Memory that all thumbnails in the making may use together, in MiB; an image that needs more gets none.
    pub thumbnail_memory_mb: u32,
    /// How many thumbnails are made at the same time.
    pub thumbnail_workers: u32,
    /// Image formats that get thumbnails: "png", "jpeg", "gif", "webp".
    pub thumbnail_formats: Vec<Format>,
    /// Also serves new media to requests without an access token, under the frozen `/_matrix/media/v3` addresses, and
    /// fetches those of other servers for them.
    pub allow_legacy: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_upload_bytes: 50 << 20,
            max_remote_bytes: 50 << 20,
            remote_keep_days: 0,
            remote_keep_mb: 20 << 10,
            user_quota_bytes: 0,
            max_pending_uploads: 10,
            max_image_pixels: 50_000_000,
            thumbnail_memory_mb: 256,
            thumbnail_workers: 2,
            thumbnail_formats: vec![Format::Png, Format::Jpeg, Format::Gif, Format::Webp],
            allow_legacy: false,
        }
    }
}

/// `[url_previews]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreviewsConfig {
    /// Whether clients may have this server look at pages that messages link to. Owners of pages then see the address of
    /// this server.
    pub enabled: bool,
    /// How much of a page is looked at, in bytes.
    pub max_page_bytes: usize,
    /// Largest picture of a page that is stored, in bytes.
    pub max_image_bytes: usize,
    /// For how many days pictures of previews are kept.
    pub keep_days: u64,
    /// Whether pages at addresses that are not public may be looked at: those of your own network.
    pub allow_private_addresses: bool,
}

impl Default for PreviewsConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            max_page_bytes: 1 << 20,
            max_image_bytes: 10 << 20,
            keep_days: 30,
            allow_private_addresses: false,
        }
    }
}

impl PreviewsConfig {
    /// What may be connected to.
    pub fn outbound(&self) -> outbound::Config {
        outbound::Config { allow_private_addresses: self.allow_private_addresses, ..outbound::Config::default() }
    }
}

/// An image format that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// PNG, also animated.
    Png,
    /// JPEG.
    Jpeg,
    /// GIF.
    Gif,
    /// WebP, also animated.
    Webp,
}

impl Format {
    /// What the first bytes of a file say.
    pub(crate) fn guess(head: &[u8]) -> Option<Self> {
        match image::guess_format(head).ok()? {
            image::ImageFormat::Png => Some(Self::Png),
            image::ImageFormat::Jpeg => Some(Self::Jpeg),
            image::ImageFormat::Gif => Some(Self::Gif),
            image::ImageFormat::WebP => Some(Self::Webp),
            _ => None,
        }
    }

    /// `image/…`
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
        }
    }
}
