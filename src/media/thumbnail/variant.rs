use crate::{Error, Result};

/// How a thumbnail relates to the size asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// The whole image, in its own aspect.
    Scale,
    /// The middle of the image, in the aspect asked for.
    Crop,
}

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThumbnailRequest {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Whole or middle.
    pub method: Method,
    /// Whether an animation is wanted; without it the thumbnail stands still.
    pub animated: bool,
}

/// Sizes that whole images are made in; a request gets the next larger one.
/// Client-server API v1.19, "Thumbnails", and one for large screens.
const SCALES: &[(u32, u32)] = &[(32, 32), (96, 96), (320, 240), (640, 480), (800, 600), (1600, 1200)];
/// Longer sides that crops are made in.
const CROPS: &[u32] = &[32, 96, 320, 640, 800, 1600];
/// Largest side that makes sense, in pixels.
const MAX_SIDE: u32 = 65_535;

/// One of the thumbnails that an image can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// What the thumbnail covers; `None` is the image's own size.
    size: Option<(u32, u32)>,
    method: Method,
    /// Whether it moves if the image does.
    pub animated: bool,
}

impl Variant {
    /// The smallest variant that satisfies `request`.
    ///
    /// # Errors
    /// [`Error::CannotThumbnail`] for a size of nothing.
    pub fn of(request: &ThumbnailRequest) -> Result<Self> {
        let (width, height) = (request.width, request.height);
        if width == 0 || height == 0 {
            return Err(Error::CannotThumbnail("width and height must be at least 1".into()));
        }
        let size = match request.method {
            Method::Scale => SCALES.iter().copied().find(|(w, h)| *w >= width && *h >= height),
            Method::Crop => Some(crop_size(width, height)),
        };
        Ok(Self { size, method: request.method, animated: request.animated })
    }

    /// Its name among the variants of an image.
    pub fn key(&self) -> String {
        let method = if self.method == Method::Crop { "crop" } else { "scale" };
        let animated = if self.animated { "-animated" } else { "" };
        match self.size {
            Some((width, height)) => format!("{method}-{width}x{height}{animated}"),
            None => format!("{method}-full{animated}"),
        }
    }

    /// How an image of `original` size becomes this variant.
    pub fn plan(&self, original: (u32, u32)) -> Plan {
        let Some(size) = self.size else { return Plan { scaled: original, crop: original } };
        let (ow, oh) = (u64::from(original.0), u64::from(original.1));
        match self.method {
            Method::Scale => {
                let scaled = cover(original, size);
                Plan { scaled, crop: scaled }
            }
            Method::Crop => {
                // The largest size of the aspect asked for that needs no upscaling.
                let (w, h) = (u64::from(size.0), u64::from(size.1));
                let crop = if w <= ow && h <= oh {
                    size
                } else if ow * h <= oh * w {
                    (original.0, side(div_round(ow * h, w)))
                } else {
                    (side(div_round(oh * w, h)), original.1)
                };
                let crop = (crop.0.clamp(1, original.0), crop.1.clamp(1, original.1));
                Plan { scaled: cover(original, crop), crop }
            }
        }
    }

    /// Whether the image itself is no larger than what was asked for.
    pub fn exceeds(&self, original: (u32, u32)) -> bool {
        match (self.size, self.method) {
            (None, _) => true,
            (Some((w, h)), Method::Scale) => original.0 <= w || original.1 <= h,
            (Some((w, h)), Method::Crop) => original.0 <= w && original.1 <= h,
        }
    }
}

/// Steps from an original to a thumbnail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Scale the image to this size.
    pub scaled: (u32, u32),
    /// Then keep this much of its middle.
    pub crop: (u32, u32),
}

impl Plan {
    /// The same for an image that lies on its side.
    pub fn turned(self) -> Self {
        let swap = |(a, b)| (b, a);
        Self { scaled: swap(self.scaled), crop: swap(self.crop) }
    }
}

/// The request's aspect, with its longer side on one of the steps.
fn crop_size(width: u32, height: u32) -> (u32, u32) {
    let (width, height) = (width.min(MAX_SIDE), height.min(MAX_SIDE));
    let (long, short) = (width.max(height), width.min(height));
    let Some(step) = CROPS.iter().copied().find(|step| *step >= long) else { return (width, height) };
    let other = side((u64::from(step) * u64::from(short)).div_ceil(u64::from(long)));
    if width >= height { (step, other) } else { (other, step) }
}

/// The smallest size in the aspect of `original` that covers `size`, and never more than `original`.
fn cover(original: (u32, u32), size: (u32, u32)) -> (u32, u32) {
    let (ow, oh) = (u64::from(original.0), u64::from(original.1));
    let (w, h) = (u64::from(size.0), u64::from(size.1));
    if w >= ow || h >= oh {
        return original;
    }
    let (width, height) = if w * oh >= h * ow { (w, (w * oh).div_ceil(ow)) } else { ((h * ow).div_ceil(oh), h) };
    (side(width).clamp(1, original.0), side(height).clamp(1, original.1))
}

fn div_round(a: u64, b: u64) -> u64 {
    (a + b / 2) / b
}

fn side(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(MAX_SIDE).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variant(width: u32, height: u32, method: Method) -> Variant {
        Variant::of(&ThumbnailRequest { width, height, method, animated: false }).unwrap()
    }

    #[test]
    fn the_sizes_of_the_specification_are_made_as_they_are() {
        for (width, height, method) in [
            (32, 32, Method::Crop),
            (96, 96, Method::Crop),
            (320, 240, Method::Scale),
            (640, 480, Method::Scale),
            (800, 600, Method::Scale),
        ] {
            assert_eq!(variant(width, height, method).size, Some((width, height)));
        }
        assert_eq!(variant(320, 240, Method::Scale).plan((4000, 3000)).crop, (320, 240));
        assert_eq!(variant(96, 96, Method::Crop).plan((4000, 3000)), Plan { scaled: (128, 96), crop: (96, 96) });
    }

    #[test]
    fn a_size_of_nothing_is_refused() {
        for (width, height) in [(0, 1), (1, 0)] {
            let request = ThumbnailRequest { width, height, method: Method::Crop, animated: false };
            assert!(Variant::of(&request).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_thumbnail_is_never_upscaled_and_only_smaller_than_asked_if_the_image_is(
            width in 1u32..4000, height in 1u32..4000, ow in 1u32..9000, oh in 1u32..9000, crop: bool,
        ) {
            let method = if crop { Method::Crop } else { Method::Scale };
            let plan = variant(width, height, method).plan((ow, oh));
            prop_assert!(plan.scaled.0 <= ow && plan.scaled.1 <= oh);
            prop_assert!(plan.crop.0 <= plan.scaled.0 && plan.crop.1 <= plan.scaled.1);
            prop_assert!(plan.crop.0 >= 1 && plan.crop.1 >= 1);
            if width <= ow && height <= oh {
                prop_assert!(method == Method::Crop || (plan.crop.0 >= width && plan.crop.1 >= height));
            }
        }

        #[test]
        fn any_request_gets_a_plan(width: u32, height: u32, ow in 1u32.., oh in 1u32.., crop: bool) {
            let method = if crop { Method::Crop } else { Method::Scale };
            if let Ok(variant) = Variant::of(&ThumbnailRequest { width, height, method, animated: false }) {
                let _ = (variant.plan((ow, oh)), variant.exceeds((ow, oh)), variant.key());
            }
        }
    }
}
