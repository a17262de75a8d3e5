use bytes::Bytes;
use gif::{DisposalMethod, Encoder, Frame, Repeat};
use image::DynamicImage;

use super::{
    render::shrink,
    source::{Source, broken},
    variant::Variant,
};
use crate::{Error, Result};

/// An animation may cost as much as so many images of the largest size.
const EFFORT: u64 = 4;
/// A pixel of the result costs as much as so many of the original: its colours are reduced to a palette.
const PALETTE_EFFORT: u64 = 4;
/// Longest animated thumbnail, in bytes.
const MAX_BYTES: usize = 16 << 20;
/// Between the best palette (1) and the fastest (30).
const PALETTE_SPEED: i32 = 20;

/// `variant` as a GIF that moves; `None` when that would cost too much.
pub fn animate(source: &Source, variant: &Variant) -> Result<Option<Bytes>> {
    let plan = variant.plan(source.size);
    let (Ok(width), Ok(height)) = (u16::try_from(plan.crop.0), u16::try_from(plan.crop.1)) else { return Ok(None) };
    let area = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    let cost = area(source.size) + area(plan.crop) * PALETTE_EFFORT;
    let mut budget = source.limits.pixels * EFFORT;
    let mut encoder = Encoder::new(Vec::new(), width, height, &[]).map_err(unwritable)?;
    encoder.set_repeat(Repeat::Infinite).map_err(unwritable)?;
    for frame in source.frames()? {
        let frame = frame.map_err(broken)?;
        if budget < cost || encoder.get_ref().len() > MAX_BYTES {
            return Ok(None);
        }
        budget -= cost;
        let (numerator, denominator) = frame.delay().numer_denom_ms();
        let picture = DynamicImage::ImageRgba8(frame.into_buffer());
        let mut pixels = shrink(picture, plan).into_rgba8().into_raw();
        let mut out = Frame::from_rgba_speed(width, height, &mut pixels, PALETTE_SPEED);
        out.delay = hundredths(numerator, denominator);
        out.dispose = DisposalMethod::Background; // each picture is whole
        encoder.write_frame(&out).map_err(unwritable)?;
    }
    encoder.into_inner().map(|bytes| Some(bytes.into())).map_err(unwritable)
}

fn hundredths(numerator: u32, denominator: u32) -> u16 {
    u16::try_from(numerator / denominator.max(1) / 10).unwrap_or(u16::MAX)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unwritable(error: gif::EncodingError) -> Error {
    Error::CannotThumbnail(error.to_string())
}
