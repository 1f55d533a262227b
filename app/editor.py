"""The editor of a page: a component whose value is the last message to the script that runs in the browser."""

import base64
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
from gradio.data_classes import FileData
from gradio.processing_utils import encode_pil_to_bytes, save_pil_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from app.pages import FORMATS, MOST_TEXT, edited_page, exported, save_page, sent_lines
from app.reader import ONE_AT_A_TIME, SECONDS, Reader, first_page, named
from app.words import MOST_DOUBTFUL
from textrec.base.runtime import TextrecError, describe
from textrec.pages.pictures import open_pictures
from textrec.reading.page_reading import LineReading, PageReading
from textrec.reports.errors_page import DOUBTS

FOLDER = Path(__file__).with_name("page_editor")
CSS = FOLDER / "editor.css"
SCRIPTS = ("geometry.js", "shown.js", "changes.js", "hand.js", "editor.js")  # one after the other they are one
LARGEST = 4000  # pixels of the longer side of a picture that is shown: phones draw no more
KEPT = 24 * 3600  # seconds that an uploaded picture stays: a page takes long to correct

Message = Mapping[str, Any]
NOTHING: Message = {"kind": "none", "said": ""}

_numbers = count()


class Opened(NamedTuple):
    """A page that is edited: its number among those of the server, its picture's file, by how many quarters that is
    turned clockwise, and the width and height of the page upright, in pixels.
    """

    number: int
    picture: str
    turned: int
    size: tuple[int, int]

    @property
    def image(self) -> Image.Image:
        """The page upright, mode L."""
        return Image.fromarray(np.rot90(np.asarray(first_page(self.picture)), self.turned))


def open_page(found: PageReading, picture: str, folder: Path) -> tuple[Opened, Message]:
    """What was read of a picture's file, to be edited; `folder` is where it will be kept."""
    page = found.rotated(found.turned)
    opened = Opened(next(_numbers), picture, found.turned, page.size)
    shown = opened.image
    shown.thumbnail((LARGEST, LARGEST))
    content = {
        "image": FileData(path=save_pil_to_cache(shown, get_upload_folder(), format="jpeg")).model_dump(),
        "number": opened.number,
        "size": page.size,
        "lines": sent_lines(page),
        "folder": str(folder),
        "formats": list(FORMATS.items()),
        "doubts": DOUBTS,
        "most_doubtful": MOST_DOUBTFUL,
        "most_text": MOST_TEXT,
    }
    return opened, {"kind": "page", **content}


def editor(reader: Reader, *, folder: Path) -> tuple[gr.State, gr.HTML]:
    """The pages that were opened, and the editor of the last, which keeps pages in a folder; `open_page` makes both.

    Pages before the last may be worked on still: the editor leaves none while its corrections are not saved.
    """
    opened = gr.State((), time_to_live=KEPT)
    script = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    component = gr.HTML(
        NOTHING,
        html_template=(FOLDER / "editor.html").read_text(encoding="utf-8"),
        js_on_load=script,
        apply_default_css=False,
        elem_id="editor",
    )

    def cut(opened: Opened, page: PageReading, _: Any) -> Message:
        pixels = reader.cut_line(Path(opened.picture), opened.turned, _one(page), seconds=SECONDS)
        content = base64.b64encode(encode_pil_to_bytes(Image.fromarray(pixels))).decode()
        return {"kind": "cut", "image": f"data:image/png;base64,{content}"}

    def reread(opened: Opened, page: PageReading, _: Any) -> Message:
        line = _one(page)
        found = reader.read_line(Path(opened.picture), opened.turned, line, seconds=SECONDS)
        if not found.text:
            return {"said": "No text was found in the line; change its outline, or write its text."}
        return {"kind": "line", "said": "Read again.", "id": line.id, **found._asdict()}

    def keep(opened: Opened, page: PageReading, _: Any) -> Message:
        return {"kind": "saved", "said": f"Saved as {save_page(folder, opened.image, page)}."}

    def export(opened: Opened, page: PageReading, form: Any) -> Message:
        number = next(open_pictures(opened.picture)).page
        name, content = exported(page.rotated(-opened.turned), form, Path(opened.picture), number)
        text = base64.b64encode(content).decode()
        return {"kind": "file", "said": f"Exported as {name}.", "name": name, "content": text}

    # What is asked for while another answer is awaited waits; a cover over the editor would take the keys.
    options: dict[str, Any] = {"trigger_mode": "multiple", "api_visibility": "private", "show_progress": "hidden"}
    component.cut(_answer(cut, "Not cut out"), opened, component, **options, **ONE_AT_A_TIME)
    component.reread(_answer(reread, "Not read"), opened, component, **options, **ONE_AT_A_TIME)
    component.keep(_answer(keep, "Not saved"), opened, component, **options)
    component.export(_answer(export, "Not exported"), opened, component, **options)
    return opened, component


def _one(page: PageReading) -> LineReading:
    if len(page.lines) != 1:
        raise TextrecError("one line is cut out, or read, at a time")
    return page.lines[0]


def _answer(make: Callable[[Opened, PageReading, Any], Message], failed: str) -> Callable[..., Message]:
    """An event's function: of one of the pages that were opened, as it was sent, and the format that was named."""

    def answer(pages: tuple[Opened, ...], event: gr.EventData) -> Message:
        sent = event._data if isinstance(event._data, dict) else {}
        opened = next((page for page in pages if page.number == sent.get("page")), None)
        try:
            if opened is None:
                raise TextrecError("this page is not open; give its picture again")
            made = make(opened, edited_page(sent.get("lines"), opened.size), sent.get("format"))
        except TextrecError as error:
            made = {"said": f"{failed}: {named(error, opened.picture) if opened else error}."}
        except OSError as error:
            made = {"said": f"{failed}: {describe(error)}."}
        return {"question": sent.get("question"), **made}

    return answer
