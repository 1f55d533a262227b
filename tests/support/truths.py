"""Transcribed pages: drawn text with the PAGE XML, the ALTO or the text files that say what it is."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from PIL import Image
from text_images import line, text_image

TEXTS = ("Jumping quickly, a wizard", "turned the old box round", "and found the seven keys")
PITCH, MARGIN = 70, 60  # as text_image has them


def picture(texts: Sequence[str] = TEXTS) -> Image.Image:
    return text_image(list(texts))


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def line_image(text: str) -> bytes:
    return encoded(line(text))


def outline(number: int, width: int) -> str:
    top, bottom = MARGIN // 2 + PITCH * number - 4, MARGIN // 2 + PITCH * number + 58
    return f"20,{top} {width - 20},{top} {width - 20},{bottom} 20,{bottom}"


def baseline(number: int, width: int) -> str:
    foot = MARGIN // 2 + PITCH * number + 44
    return f"40,{foot} {width - 40},{foot}"


def page_line(
    number: int, text: str | None, *, width: int, coords: str | None = "", base: bool = True, name: str | None = None
) -> str:
    """A TextLine of PAGE XML; coords "": where the text is, None: no element."""
    parts = [] if coords is None else [f'<Coords points="{coords or outline(number, width)}"/>']
    parts += [f'<Baseline points="{baseline(number, width)}"/>'] if base else []
    parts += [] if text is None else [f"<TextEquiv><Unicode>{escape(text)}</Unicode></TextEquiv>"]
    return f'<TextLine id="{name or f"l{number}"}">{"".join(parts)}</TextLine>'


def page_xml(
    texts: Sequence[str | None] = TEXTS, *, image: str = "page.png", lines: Sequence[str] | None = None
) -> bytes:
    width, height = picture().size
    lines = lines or [page_line(number, text, width=width) for number, text in enumerate(texts)]
    return f"""<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2013-07-15">
<Page imageFilename="{image}" imageWidth="{width}" imageHeight="{height}"><TextRegion id="r">
<Coords points="0,0 {width},0 {width},{height} 0,{height}"/>{"".join(lines)}</TextRegion></Page></PcGts>""".encode()


def alto_xml(texts: Sequence[str] = TEXTS, *, image: str = "page.png") -> bytes:
    width, height = picture().size
    lines = [
        f'<TextLine ID="a{number}" HPOS="20" VPOS="{26 + PITCH * number}" WIDTH="{width - 40}" HEIGHT="62">'
        f"<String CONTENT={quoteattr(text)}/></TextLine>"
        for number, text in enumerate(texts)
    ]
    return f"""<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Description>
<MeasurementUnit>pixel</MeasurementUnit><sourceImageInformation><fileName>{image}</fileName></sourceImageInformation>
</Description><Layout><Page WIDTH="{width}" HEIGHT="{height}"><PrintSpace><TextBlock>{"".join(lines)}
</TextBlock></PrintSpace></Page></Layout></alto>""".encode()


def document(folder: str, xml: bytes | None = None, image: bytes | None = None) -> dict[str, bytes]:
    """The files of a document of one page."""
    return {f"{folder}/page.xml": xml or page_xml(), f"{folder}/page.png": image or encoded(picture())}


def write_truth(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in sorted(files.items()):
            archive.writestr(name, content)
    return path
