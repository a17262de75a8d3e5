//! Opening images: format, size and needs are read from the header, before any pixel is decoded.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use image::{ImageDecoder, ImageError, ImageFormat, ImageReader, codecs, metadata::Orientation};

use super::variant::Variant;
use crate::{Config, Error, Result, config::Format};

/// First bytes that tell the format.
const HEAD: u64 = 64;

/// What an image may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    pub pixels: u64,
    memory: u64,
    formats: Vec<Format>,
}

impl Limits {
    pub fn of(config: &Config) -> Self {
        Self {
            pixels: config.max_image_pixels,
            memory: u64::from(config.thumbnail_memory_mb) << 20,
            formats: config.thumbnail_formats.clone(),
        }
    }

    fn decoder(&self) -> image::Limits {
        let mut limits = image::Limits::default();
        limits.max_alloc = Some(self.memory);
        limits
    }
}

/// An image whose header is sound.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    pub limits: Limits,
    pub format: Format,
    /// As it is seen, after turning.
    pub size: (u32, u32),
    pub orientation: Orientation,
    /// Whether it has more than one picture.
    pub animated: bool,
    /// What decoding takes at its peak, in bytes.
    decoding: u64,
}

impl Source {
    /// Reads the header of the image at `path`.
    pub fn open(path: PathBuf, limits: Limits) -> Result<Self> {
        let mut head = Vec::new();
        File::open(&path).map_err(missing)?.take(HEAD).read_to_end(&mut head)?;
        let format = Format::guess(&head).filter(|format| limits.formats.contains(format));
        let format = format.ok_or_else(|| Error::CannotThumbnail("not an image of a supported format".into()))?;
        let mut decoder = decoder(&path, format, &limits)?;
        let (width, height) = decoder.dimensions();
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 || pixels > limits.pixels {
            return Err(Error::CannotThumbnail(format!(
                "the image has {width}×{height} pixels, at most {} are decoded",
                limits.pixels
            )));
        }
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let output = decoder.total_bytes();
        drop(decoder);
        let animated = is_animated(&path, format, &limits)?;
        let decoding = match format {
            // Canvas, the one before, the picture as stored and as shown.
            _ if animated => pixels * 4 * 4,
            Format::Jpeg => output + file_len(&path)? + if is_progressive(&path)? { pixels * 6 } else { 0 },
            Format::Png => output,
            Format::Gif => output * 2,
            Format::Webp => output.max(pixels * 4) * 3,
        };
        let size = if turns(orientation) { (height, width) } else { (width, height) };
        Ok(Self { path, limits, format, size, orientation, animated, decoding })
    }

    /// What making `variant` takes at its peak, in MiB.
    pub fn memory_mb(&self, variant: &Variant) -> u32 {
        let (width, height) = variant.plan(self.size).scaled;
        let scaled = u64::from(width) * u64::from(height) * super::render::BYTES_PER_SCALED_PIXEL;
        u32::try_from((self.decoding + scaled).div_ceil(1 << 20)).unwrap_or(u32::MAX)
    }

    /// A decoder of the first picture.
    pub fn still(&self) -> Result<impl ImageDecoder + use<>> {
        decoder(&self.path, self.format, &self.limits)
    }

    /// All pictures of an animation.
    pub fn frames(&self) -> Result<image::Frames<'static>> {
        use image::AnimationDecoder;
        let file = reader(&self.path)?;
        let limits = self.limits.decoder();
        let frames = match self.format {
            Format::Gif => {
                let mut decoder = codecs::gif::GifDecoder::new(file).map_err(broken)?;
                decoder.set_limits(limits).map_err(broken)?;
                decoder.into_frames()
            }
            Format::Webp => {
                let mut decoder = codecs::webp::WebPDecoder::new(file).map_err(broken)?;
                decoder.set_limits(limits).map_err(broken)?;
                decoder.into_frames()
            }
            Format::Png => {
                let decoder = codecs::png::PngDecoder::with_limits(file, limits).map_err(broken)?;
                decoder.apng().map_err(broken)?.into_frames()
            }
            Format::Jpeg => return Err(Error::CannotThumbnail("JPEG has no animation".into())),
        };
        Ok(frames)
    }
}

/// A decoder's complaint.
pub fn broken(error: ImageError) -> Error {
    match error {
        ImageError::IoError(error) if error.kind() == io::ErrorKind::NotFound => missing(error),
        error => Error::CannotThumbnail(error.to_string()),
    }
}

/// Whether width and height change places.
pub fn turns(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

fn decoder(path: &Path, format: Format, limits: &Limits) -> Result<impl ImageDecoder + use<>> {
    let kind = match format {
        Format::Png => ImageFormat::Png,
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Gif => ImageFormat::Gif,
        Format::Webp => ImageFormat::WebP,
    };
    let mut reader = ImageReader::with_format(reader(path)?, kind);
    reader.limits(limits.decoder());
    reader.into_decoder().map_err(broken)
}

fn is_animated(path: &Path, format: Format, limits: &Limits) -> Result<bool> {
    let file = reader(path)?;
    match format {
        Format::Jpeg => Ok(false),
        Format::Png => {
            codecs::png::PngDecoder::with_limits(file, limits.decoder()).and_then(|png| png.is_apng()).map_err(broken)
        }
        Format::Webp => Ok(codecs::webp::WebPDecoder::new(file).map_err(broken)?.has_animation()),
        Format::Gif => {
            let mut options = gif::DecodeOptions::new();
            options.skip_frame_decoding(true);
            let Ok(mut gif) = options.read_info(file) else { return Ok(false) };
            let mut two =
                || Ok::<_, gif::DecodingError>(gif.next_frame_info()?.is_some() && gif.next_frame_info()?.is_some());
            Ok(two().unwrap_or(false))
        }
    }
}

/// Whether a JPEG holds all its coefficients in memory: its frame header is SOF2, SOF6, SOF10 or SOF14.
fn is_progressive(path: &Path) -> Result<bool> {
    let mut file = reader(path)?;
    let mut read = || -> io::Result<bool> {
        let mut word = [0; 2];
        file.read_exact(&mut word)?;
        loop {
            file.read_exact(&mut word)?;
            let [0xFF, marker] = word else { return Ok(true) };
            match marker {
                0xC2 | 0xC6 | 0xCA | 0xCE | 0xDA => return Ok(marker != 0xDA),
                0xC0 | 0xC1 | 0xC3 => return Ok(false),
                _ => {}
            }
            file.read_exact(&mut word)?;
            let skip = u64::from(u16::from_be_bytes(word)).saturating_sub(2);
            io::copy(&mut file.by_ref().take(skip), &mut io::sink())?;
        }
    };
    Ok(read().unwrap_or(true))
}

fn file_len(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path)?.len())
}

fn reader(path: &Path) -> Result<impl BufRead + io::Seek + use<>> {
    Ok(BufReader::new(File::open(path).map_err(missing)?))
}

fn missing(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound { Error::NotFound } else { error.into() }
}
