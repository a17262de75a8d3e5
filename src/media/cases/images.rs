//! Images in every format, sound and hostile.

use std::io::Cursor;

use image::{
    DynamicImage, ImageFormat, Rgba, RgbaImage,
    codecs::gif::{GifEncoder, Repeat},
};

/// A picture whose corners differ, so that turning and cropping show.
pub fn picture(width: u32, height: u32, alpha: bool) -> DynamicImage {
    let image = RgbaImage::from_fn(width, height, |x, y| {
        let of = |n: u32, whole: u32| u8::try_from(n * 255 / whole.max(1)).unwrap();
        Rgba([of(x, width), of(y, height), 128, if alpha { of(x, width) } else { 255 }])
    });
    let image = DynamicImage::ImageRgba8(image);
    if alpha { image } else { image.to_rgb8().into() }
}

pub fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, format).unwrap();
    out.into_inner()
}

pub fn png(width: u32, height: u32) -> Vec<u8> {
    encoded(&picture(width, height, false), ImageFormat::Png)
}

/// A GIF of `frames` pictures, each 70 ms.
pub fn moving_gif(width: u32, height: u32, frames: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = GifEncoder::new(&mut out);
    encoder.set_repeat(Repeat::Infinite).unwrap();
    for n in 0..frames {
        let image = RgbaImage::from_pixel(width, height, Rgba([n.wrapping_mul(40), 0, 200, 255]));
        let delay = image::Delay::from_numer_denom_ms(70, 1);
        encoder.encode_frame(image::Frame::from_parts(image, 0, 0, delay)).unwrap();
    }
    drop(encoder);
    out
}

/// A PNG that says it is `width` × `height`, with next to nothing inside.
pub fn png_bomb(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend_from_slice(&width.to_be_bytes());
    header.extend_from_slice(&height.to_be_bytes());
    header.extend_from_slice(&[8, 6, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    for chunk in [header, b"IDAT\x78\x9c\x63\x00\x00\x00\x01\x00\x01".to_vec(), b"IEND".to_vec()] {
        out.extend_from_slice(&u32::try_from(chunk.len() - 4).unwrap().to_be_bytes());
        out.extend_from_slice(&chunk);
        out.extend_from_slice(&crc(&chunk).to_be_bytes());
    }
    out
}

/// A GIF whose screen is `width` × `height`, with a frame as large.
pub fn gif_bomb(width: u16, height: u16) -> Vec<u8> {
    let (w, h) = (width.to_le_bytes(), height.to_le_bytes());
    let mut out = b"GIF89a".to_vec();
    out.extend_from_slice(&[w[0], w[1], h[0], h[1], 0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
    out.extend_from_slice(&[0x2C, 0, 0, 0, 0, w[0], w[1], h[0], h[1], 0, 2, 2, 0x4C, 0x01, 0, 0x3B]);
    out
}

/// The same JPEG with its frame header saying `width` × `height`.
pub fn jpeg_bomb(width: u16, height: u16) -> Vec<u8> {
    let mut out = encoded(&picture(16, 16, false), ImageFormat::Jpeg);
    let frame = out.windows(2).position(|marker| marker == [0xFF, 0xC0] || marker == [0xFF, 0xC2]).unwrap();
    out[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    out[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    out
}

/// A lossless WebP header of the largest size there is.
pub fn webp_bomb() -> Vec<u8> {
    let mut out = encoded(&picture(16, 16, true), ImageFormat::WebP);
    let data = out.windows(4).position(|name| name == b"VP8L").unwrap();
    // After name, length and signature: 14 bits of width − 1, 14 bits of height − 1.
    out[data + 9..data + 12].copy_from_slice(&[0xFF; 3]);
    out[data + 12] |= 0x0F;
    out
}

/// The JPEG with an Exif orientation.
pub fn turned_jpeg(width: u32, height: u32, orientation: u8) -> Vec<u8> {
    let plain = encoded(&picture(width, height, false), ImageFormat::Jpeg);
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0, 0]);
    let mut out = vec![0xFF, 0xD8, 0xFF, 0xE1];
    out.extend_from_slice(&u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
    out.extend_from_slice(&exif);
    out.extend_from_slice(&plain[2..]);
    out
}

/// CRC-32 as PNG has it.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(u32::MAX, step)
}
