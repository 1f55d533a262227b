import io
import math
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps
from text_images import HEIGHT, LINE, WORDS, likeness, line_crop, text_image

from textrec.base.runtime import TextrecError
from textrec.pages import pictures
from textrec.pages.pictures import MOST_PIXELS, count_pages, gray, open_pictures, picture_size
from textrec.pages.text_area import prepare


def test_modes_of_images_come_to_the_same() -> None:
    pixels = np.asarray(LINE)
    transparent = Image.merge(
        "LA", [Image.new("L", LINE.size, 60), Image.fromarray(((245 - pixels) * 1.3).clip(0, 255).astype(np.uint8))]
    )
    white_on_nothing = Image.merge("LA", [Image.new("L", LINE.size, 255), transparent.getchannel("A")])
    kinds = {
        "RGB": LINE.convert("RGB"),
        "palette": LINE.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE),
        "16 bit": Image.fromarray(pixels.astype(np.uint16) * 257),
        "12 of 16 bit": Image.fromarray(pixels.astype(np.uint16) * 16),
        "32 bit": Image.fromarray(pixels.astype(np.int32) * 257),
        "float": Image.fromarray(pixels.astype(np.float32) / 245),
        "CMYK": LINE.convert("CMYK"),
        "one bit": LINE.convert("1", dither=Image.Dither.NONE),
        "transparent": transparent,
        "white on nothing": white_on_nothing,
        "RGBA": LINE.convert("RGBA"),
    }
    for kind, image in kinds.items():
        upright = gray(image)
        assert upright.mode == "L"
        assert likeness(line_crop(LINE), line_crop(upright)) > 0.9, kind
    for array in (pixels, np.stack([pixels] * 3, axis=2), pixels.astype(np.uint16) * 257):
        assert np.array_equal(np.asarray(gray(array)), pixels)


@pytest.mark.parametrize(
    "array", [np.zeros((0, 5), np.uint8), np.zeros(5, np.uint8), np.zeros((2, 2, 2), np.uint8), np.zeros((5, 5), float)]
)
def test_arrays_that_are_no_images(array: np.ndarray) -> None:
    with pytest.raises(TextrecError, match=r"an image (is|has)"):
        gray(array)


def test_a_photo_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 270 degrees to see it upright
    LINE.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "photo.jpg", exif=exif, quality=95)
    (picture,) = open_pictures(tmp_path / "photo.jpg")
    assert picture.page is None
    assert picture.image.size == LINE.size
    assert likeness(line_crop(LINE), line_crop(picture.image)) > 0.95


def test_each_page_is_a_picture(tmp_path: Path) -> None:
    pages = [text_image([word]) for word in WORDS[:3]]
    pages[0].save(tmp_path / "a.tiff", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "a.pdf", save_all=True, append_images=pages[1:], resolution=300)
    for name in ("a.tiff", "a.pdf"):
        found = list(open_pictures(tmp_path / name))
        assert [picture.page for picture in found] == [1, 2, 3]
        for picture, page in zip(found, pages, strict=True):
            assert likeness(line_crop(page), line_crop(picture.image)) > 0.9


# ---- files that are none ----


def png(width: int, height: int) -> bytes:
    """A picture that says that it is so large, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    LINE.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"these are no pixels", r"not a picture that can be read \(of no kind that is known\)$"),
        (encoded("PNG")[:-900], "not a picture that can be read"),
        (encoded("JPEG")[:-900], "not a picture that can be read"),
        (encoded("TIFF")[:-900], "not a picture that can be read"),
        (encoded("WEBP")[:-900], "not a picture that can be read"),
        (b"%PDF-1.7\nnothing", "not a picture that can be read"),
        (png(0, 10), "not a picture that can be read"),
        (png(60_000, 60_000), f"more than {MOST_PIXELS:,} pixels"),
        (png(9_000, 9_000), f"more than {MOST_PIXELS:,} pixels"),
        (png(10_000, 10_000), f"more than {MOST_PIXELS:,} pixels"),
    ],
    ids=["empty", "text", "png", "jpeg", "tiff", "webp", "pdf", "zero", "bomb", "81 million", "100 million"],
)
def test_what_is_no_picture_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file.png").write_bytes(content)
    with pytest.raises(TextrecError, match=rf"file.png: {message}") as raised:
        list(open_pictures(tmp_path / "file.png"))
    assert "\n" not in str(raised.value)


def test_a_large_pdf_page_has_fewer_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_PIXELS", 500_000)
    LINE.resize((4000, 1000)).save(tmp_path / "photo.pdf")  # 72 dpi
    [picture] = open_pictures(tmp_path / "photo.pdf")
    assert (picture.image.size, 1) == picture_size(tmp_path / "photo.pdf")
    assert picture.image.width == pytest.approx(4 * picture.image.height, rel=0.01)
    assert math.prod(picture.image.size) == pytest.approx(500_000, rel=0.01)
    assert likeness(line_crop(LINE.resize(picture.image.size)), line_crop(picture.image)) > 0.9


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TextrecError, match=r"nix.png: No such file"):
        list(open_pictures(tmp_path / "nix.png"))


def test_damaged_files_give_a_line_or_a_picture(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    failed = 0
    for index in range(150):
        content = bytearray(encoded(["PNG", "JPEG", "TIFF", "WEBP"][index % 4]))
        for place in random.integers(0, min(len(content), 400), 4):
            content[place] = random.integers(256)
        path = tmp_path / f"{index}.png"
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd metadata
            try:
                for picture in open_pictures(path):
                    prepare(picture.image, line_height=HEIGHT, paragraph=False)
            except TextrecError:
                failed += 1
    assert 20 < failed < 150


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_as_its_tag_says(tmp_path: Path, compression: str | None, orientation: int) -> None:
    stored = LINE.resize((60, 40))
    stored.save(tmp_path / "a.tif", tiffinfo={ExifTags.Base.Orientation: orientation}, compression=compression)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO((tmp_path / "a.tif").read_bytes())))
    [picture] = open_pictures(tmp_path / "a.tif")
    assert np.array_equal(np.asarray(picture.image), np.asarray(upright))


def test_a_heic_picture_names_the_package_that_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(TextrecError, match=r"a.heic: a HEIC picture; run `pip install pillow-heif`"):
        next(open_pictures(tmp_path / "a.heic"))


@pytest.mark.parametrize("suffix", ["tif", "pdf"])
def test_one_page_of_several_is_asked_for(tmp_path: Path, suffix: str) -> None:
    path, greys = tmp_path / f"a.{suffix}", (20, 120, 220)
    pages = [Image.new("L", (60, 40), grey) for grey in greys]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    assert count_pages(path) == 3
    for number, grey in enumerate(greys, start=1):
        picture = next(open_pictures(path, start=number))
        assert picture.page == number
        assert abs(np.asarray(picture.image).mean() - grey) < 3


@pytest.mark.parametrize("kind", [1, 4])
def test_smaller_copies_and_masks_of_a_tiff_are_no_pages(tmp_path: Path, kind: int) -> None:
    extra = Image.new("L", (30, 20), 9)
    extra.encoderinfo = {"tiffinfo": {ExifTags.Base.NewSubfileType: kind}}
    first, second = (Image.new("L", (60, 40), grey) for grey in (20, 220))
    first.save(tmp_path / "one.tif", save_all=True, append_images=[extra])
    first.save(tmp_path / "two.tif", save_all=True, append_images=[extra, second, extra])
    assert (count_pages(tmp_path / "one.tif"), count_pages(tmp_path / "two.tif")) == (None, 2)
    [picture] = open_pictures(tmp_path / "one.tif")
    assert (picture.page, picture.image.size) == (None, (60, 40))
    found = [(picture.page, np.asarray(picture.image).mean()) for picture in open_pictures(tmp_path / "two.tif")]
    assert found == [(1, 20), (2, 220)]
    assert next(open_pictures(tmp_path / "two.tif", start=2)).page == 2


def test_a_picture_has_no_number_of_pages(tmp_path: Path) -> None:
    LINE.save(tmp_path / "a.png")
    LINE.save(tmp_path / "a.gif", save_all=True, append_images=[LINE.rotate(5)])  # an animation
    (tmp_path / "torn.pdf").write_bytes(b"%PDF-1.7 torn")
    assert [count_pages(tmp_path / name) for name in ("a.png", "a.gif", "torn.pdf", "gone.tif")] == [None] * 4


def test_threads_read_pdfs_at_once(tmp_path: Path) -> None:
    pages = [Image.new("L", (600, 400), 10 * number) for number in range(16)]
    pages[0].save(tmp_path / "a.pdf", save_all=True, append_images=pages[1:])
    with ThreadPoolExecutor(8) as pool:
        read = pool.map(lambda number: next(open_pictures(tmp_path / "a.pdf", start=number + 1)).image, range(16))
        assert [round(np.asarray(image).mean() / 10) for image in read] == list(range(16))
