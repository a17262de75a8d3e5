use image::{AnimationDecoder, DynamicImage, ImageFormat, codecs::gif::GifDecoder};

use super::{images::*, *};
use crate::{Format, Method, ThumbnailRequest};

async fn ask(
    fixture: &Fixture,
    id: &MediaId,
    width: u32,
    height: u32,
    method: Method,
    animated: bool,
) -> Result<Download> {
    let request = ThumbnailRequest { width, height, method, animated };
    fixture.media.thumbnail((hs(), id), request, Access::Authorized, NO_WAIT).await
}

async fn scale(fixture: &Fixture, id: &MediaId, width: u32, height: u32) -> Result<Download> {
    ask(fixture, id, width, height, Method::Scale, false).await
}

async fn decoded(download: &Download) -> (ImageFormat, DynamicImage) {
    let bytes = read(&download.content).await;
    let format = image::guess_format(&bytes).unwrap();
    assert_eq!(format.to_mime_type(), download.content_type);
    (format, image::load_from_memory(&bytes).unwrap())
}

#[tokio::test]
async fn every_format_is_scaled_and_cropped() {
    let fixture = Fixture::new();
    for (format, alpha, expected) in [
        (ImageFormat::Png, false, ImageFormat::Png),
        (ImageFormat::Png, true, ImageFormat::Png),
        (ImageFormat::Jpeg, false, ImageFormat::Jpeg),
        (ImageFormat::Gif, true, ImageFormat::Png),
        (ImageFormat::WebP, false, ImageFormat::Jpeg),
        (ImageFormat::WebP, true, ImageFormat::Png),
    ] {
        let id = fixture.upload(encoded(&picture(900, 600, alpha), format)).await;
        let (made, scaled) = decoded(&scale(&fixture, &id, 320, 240).await.unwrap()).await;
        assert_eq!((made, scaled.width(), scaled.height()), (expected, 360, 240), "{format:?}");
        let cropped = ask(&fixture, &id, 96, 96, Method::Crop, false).await.unwrap();
        let (made, cropped) = decoded(&cropped).await;
        assert_eq!((made, cropped.width(), cropped.height()), (expected, 96, 96), "{format:?}");
    }
}

#[tokio::test]
async fn a_request_gets_the_next_larger_size() {
    let fixture = Fixture::new();
    let id = fixture.upload(png(1000, 800)).await;
    for (width, height, expected) in [(10, 10, (40, 32)), (300, 100, (320, 256)), (641, 1, (800, 640))] {
        let (_, image) = decoded(&scale(&fixture, &id, width, height).await.unwrap()).await;
        assert_eq!((image.width(), image.height()), expected);
    }
}

#[tokio::test]
async fn an_image_smaller_than_asked_is_served_as_it_is() {
    let fixture = Fixture::new();
    let bytes = png(50, 40);
    let id = fixture.upload(bytes.clone()).await;
    for _ in 0..2 {
        let download = scale(&fixture, &id, 320, 240).await.unwrap();
        assert_eq!((download.content_type.as_str(), read(&download.content).await), ("image/png", bytes.clone()));
    }
    assert_eq!(fixture.files("thumbnails"), 0);
}

#[tokio::test]
async fn a_thumbnail_is_made_once_and_again_when_its_file_is_lost() {
    let fixture = Fixture::flaky();
    let id = fixture.upload(png(900, 600)).await;
    let first = read(&scale(&fixture, &id, 320, 240).await.unwrap().content).await;
    assert_eq!(fixture.files("thumbnails"), 1);
    assert_eq!(read(&scale(&fixture, &id, 320, 240).await.unwrap().content).await, first);
    std::fs::remove_dir_all(fixture.dir.path().join("thumbnails")).unwrap();
    assert_eq!(read(&scale(&fixture, &id, 320, 240).await.unwrap().content).await, first);
    assert_eq!(fixture.files("thumbnails"), 1);
}

#[tokio::test]
async fn a_thumbnail_that_cannot_be_kept_is_served() {
    let fixture = Fixture::new();
    let id = fixture.upload(png(900, 600)).await;
    std::fs::remove_dir_all(fixture.dir.path().join("thumbnails")).unwrap();
    std::fs::write(fixture.dir.path().join("thumbnails"), "in the way").unwrap();
    assert_eq!(scale(&fixture, &id, 320, 240).await.unwrap().content_type, "image/png");
}

#[tokio::test]
async fn requests_at_once_share_one_making() {
    let fixture = Fixture::new();
    let id = fixture.upload(png(900, 600)).await;
    let asked = (0..20).map(|_| scale(&fixture, &id, 320, 240));
    for download in futures::future::join_all(asked).await {
        assert_eq!(download.unwrap().content_type, "image/png");
    }
    assert_eq!(fixture.media.workshop.made(), 1);
}

#[tokio::test]
async fn thumbnails_go_with_their_image() {
    let fixture = Fixture::new();
    let id = fixture.upload(png(900, 600)).await;
    scale(&fixture, &id, 320, 240).await.unwrap();
    fixture.media.delete(hs(), &id).await.unwrap();
    fixture.media.clean().await.unwrap();
    assert_eq!((fixture.files("thumbnails"), fixture.files("files")), (0, 0));
}

#[tokio::test]
async fn an_image_keeps_at_most_sixteen_thumbnails() {
    let fixture = Fixture::new();
    let id = fixture.upload(png(300, 300)).await;
    for height in 1..=20 {
        ask(&fixture, &id, 96, height * 3, Method::Crop, false).await.unwrap();
    }
    assert_eq!(fixture.files("thumbnails"), 16);
}

#[tokio::test]
async fn an_animation_moves_only_where_asked() {
    let fixture = Fixture::new();
    for bytes in [moving_gif(300, 200, 5), moving_gif(20, 20, 5)] {
        let id = fixture.upload(bytes).await;
        let still = ask(&fixture, &id, 96, 96, Method::Crop, false).await.unwrap();
        assert_eq!(still.content_type, "image/png");
        let moving = ask(&fixture, &id, 96, 96, Method::Crop, true).await.unwrap();
        assert_eq!(moving.content_type, "image/gif");
        let decoder = GifDecoder::new(std::io::Cursor::new(read(&moving.content).await)).unwrap();
        let frames = decoder.into_frames().collect_frames().unwrap();
        assert_eq!(frames.len(), 5);
        assert!(frames.iter().all(|frame| frame.delay().numer_denom_ms() == (70, 1)));
        assert!(frames[0].buffer().width() <= 96);
    }
}

#[tokio::test]
async fn an_animation_that_costs_too_much_stands_still() {
    let fixture = Fixture::with(Config { max_image_pixels: 20_000, ..Config::default() });
    let id = fixture.upload(moving_gif(140, 140, 20)).await;
    let thumbnail = ask(&fixture, &id, 96, 96, Method::Crop, true).await.unwrap();
    assert_eq!(thumbnail.content_type, "image/png");
}

#[tokio::test]
async fn a_still_image_stands_still_when_asked_to_move() {
    let fixture = Fixture::new();
    let id = fixture.upload(png(300, 200)).await;
    let thumbnail = ask(&fixture, &id, 96, 96, Method::Crop, true).await.unwrap();
    assert_eq!(thumbnail.content_type, "image/png");
}

#[tokio::test]
async fn a_photograph_is_turned_as_its_metadata_says() {
    let fixture = Fixture::new();
    let id = fixture.upload(turned_jpeg(900, 600, 6)).await;
    let (_, image) = decoded(&scale(&fixture, &id, 320, 240).await.unwrap()).await;
    assert_eq!((image.width(), image.height()), (320, 480));
    let corner = image.to_rgb8().get_pixel(318, 2).0;
    assert!(corner[0] < 30 && corner[1] < 30, "the upper left corner is at the right: {corner:?}");
}

#[tokio::test]
async fn hostile_images_get_no_thumbnail_and_no_memory() {
    let fixture = Fixture::new();
    let mut truncated = png(500, 500);
    truncated.truncate(1000);
    for (name, bytes) in [
        ("png of 2³¹−1 squared", png_bomb(i32::MAX as u32, i32::MAX as u32)),
        ("png of 60,000 squared", png_bomb(60_000, 60_000)),
        ("png without pixels", png_bomb(0, 0)),
        ("png whose pixels are missing", png_bomb(1000, 1000)),
        ("gif of 65,535 squared", gif_bomb(u16::MAX, u16::MAX)),
        ("jpeg of 65,500 squared", jpeg_bomb(65_500, 65_500)),
        ("webp of 16,384 squared", webp_bomb()),
        ("truncated png", truncated),
        ("png magic only", b"\x89PNG\r\n\x1a\n".to_vec()),
        ("webp magic only", b"RIFF\xff\xff\xff\xffWEBP".to_vec()),
        ("svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()),
        ("tiff", b"II*\0\x08\0\0\0".to_vec()),
        ("nothing", Vec::new()),
        ("noise", noise(10_000)),
    ] {
        let id = fixture.upload(bytes).await;
        let result = scale(&fixture, &id, 320, 240).await;
        assert!(matches!(result, Err(Error::CannotThumbnail(_))), "{name}: {result:?}");
    }
    assert_eq!(fixture.files("thumbnails"), 0);
}

#[tokio::test]
async fn an_image_that_needs_more_memory_than_there_is_gets_no_thumbnail() {
    let fixture = Fixture::with(Config { thumbnail_memory_mb: 2, ..Config::default() });
    let id = fixture.upload(png(1200, 1200)).await;
    assert!(matches!(scale(&fixture, &id, 320, 240).await, Err(Error::CannotThumbnail(_))));
    let small = fixture.upload(png(400, 400)).await;
    scale(&fixture, &small, 96, 96).await.unwrap();
}

#[tokio::test]
async fn a_format_that_is_not_listed_gets_no_thumbnail() {
    let fixture = Fixture::with(Config { thumbnail_formats: vec![Format::Png], ..Config::default() });
    let id = fixture.upload(encoded(&picture(100, 100, false), ImageFormat::Jpeg)).await;
    assert!(matches!(scale(&fixture, &id, 32, 32).await, Err(Error::CannotThumbnail(_))));
}

#[tokio::test]
async fn damaged_images_of_every_format_never_panic() {
    let fixture = Fixture::new();
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
        let sound = encoded(&picture(40, 40, format != ImageFormat::Jpeg), format);
        for (n, flip) in noise(40).into_iter().enumerate() {
            let mut damaged = sound.clone();
            let at = (n * 997 + usize::from(flip)) % damaged.len();
            damaged[at] ^= flip | 1;
            let id = fixture.upload(damaged).await;
            let result = ask(&fixture, &id, 32, 32, Method::Crop, true).await;
            assert!(matches!(result, Ok(_) | Err(Error::CannotThumbnail(_))));
        }
    }
}
