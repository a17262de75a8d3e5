use std::io::Cursor;

use image::{
    DynamicImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    imageops::FilterType,
};

use super::{
    Made, animate,
    source::{Source, broken, turns},
    variant::{Plan, Variant},
};
use crate::{Result, config::Format};

/// Of JPEG thumbnails, in percent.
const JPEG_QUALITY: u8 = 82;
/// Thumbnails up to so many pixels are scaled with the better filter, which takes more memory.
const FINE_PIXELS: u64 = 1600 * 1600;
/// What scaling takes per pixel of the result: two columns of four floats and the box-filtered image.
pub const BYTES_PER_SCALED_PIXEL: u64 = 2 * 16 + 4 * 4;

/// Makes `variant` of an image, on the thread it is called on.
pub fn render(source: &Source, variant: &Variant) -> Result<Made> {
    if variant.animated
        && source.animated
        && let Some(bytes) = animate::animate(source, variant)?
    {
        return Ok(Made { format: Format::Gif, bytes: Some(bytes) });
    }
    let image = DynamicImage::from_decoder(source.still()?).map_err(broken)?;
    let plan = variant.plan(source.size);
    let plan = if turns(source.orientation) { plan.turned() } else { plan };
    let mut image = shrink(image, plan);
    image.apply_orientation(source.orientation);
    encode(&image, source.format)
}

/// Scales and crops.
pub fn shrink(image: DynamicImage, plan: Plan) -> DynamicImage {
    let (width, height) = plan.scaled;
    let mut image = image;
    // Averaging first keeps the memory of the second step small.
    let fine = u64::from(width) * u64::from(height) <= FINE_PIXELS;
    if image.width() > width * 2 && image.height() > height * 2 && fine {
        image = image.thumbnail_exact(width * 2, height * 2);
    }
    if (image.width(), image.height()) != (width, height) {
        image = if fine {
            image.resize_exact(width, height, FilterType::CatmullRom)
        } else {
            image.thumbnail_exact(width, height)
        };
    }
    let (crop_width, crop_height) = plan.crop;
    if (crop_width, crop_height) == (width, height) {
        return image;
    }
    let middle = |whole: u32, part: u32| whole.saturating_sub(part) / 2;
    image.crop_imm(middle(width, crop_width), middle(height, crop_height), crop_width, crop_height)
}

/// JPEG for photographs, PNG for all that may be transparent.
fn encode(image: &DynamicImage, source: Format) -> Result<Made> {
    let mut bytes = Cursor::new(Vec::new());
    let photograph = source == Format::Jpeg || (source == Format::Webp && !image.color().has_alpha());
    let format = if photograph { Format::Jpeg } else { Format::Png };
    if photograph {
        let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
        image.to_rgb8().write_with_encoder(encoder).map_err(broken)?;
    } else if image.color().has_alpha() {
        image.to_rgba8().write_with_encoder(PngEncoder::new(&mut bytes)).map_err(broken)?;
    } else {
        image.to_rgb8().write_with_encoder(PngEncoder::new(&mut bytes)).map_err(broken)?;
    }
    Ok(Made { format, bytes: Some(bytes.into_inner().into()) })
}
