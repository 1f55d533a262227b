"""The page: a picture in, its text out, and the correction kept."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.data_classes import ImageData
from gradio.themes import Default
from gradio.utils import get_upload_folder
from markupsafe import Markup

from app.editor import CSS as EDITOR_CSS
from app.editor import KEPT, NOTHING, Message, Opened, editor, open_page
from app.reader import ONE_AT_A_TIME, SECONDS, Read, Reader, first_page, named
from app.words import card_html, message_html, page_html, reading_html
from textrec.base.runtime import TextrecError, describe
from textrec.datasets.corrections import encode, save_correction
from textrec.reading.page_reading import PageReading

MOST_TEXT = 2000  # characters of a correction
MOST_NAME = 80  # of a writer's name
SKETCH = (640, 160)  # pixels, across and down
PEN = 4  # pixels

# The fonts of the system, and colours that can be read on each other.
THEME = Default(primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]).set(
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_hover_dark="*primary_800",
)
CSS = [Path(__file__).with_name("page.css"), EDITOR_CSS]

EMPTY = message_html("The text will stand here.")
STATUS = '<div role="status">${value}</div>'


class Shown(NamedTuple):
    """The picture on the page, what was read in it, and the text that was saved last, at first what was read."""

    picture: str
    read: Read
    saved: str


Outputs = tuple[Markup, str, Shown | None, str, Any, Any, Message]


class Page(gr.Blocks):
    """A page to which no file can be given but one that was uploaded to it.

    Gradio checks files alone that a request calls such, and itself fetches those that are elsewhere.
    """

    def validate_inputs(self, block_fn: BlockFunction, inputs: list[Any]) -> None:
        """Refuse what a request gives to whichever component, before anything looks at it."""
        super().validate_inputs(block_fn, inputs)
        folder = Path(get_upload_folder()).resolve()
        for path in _paths(inputs):
            if not (isinstance(path, str) and "\0" not in path and Path(path).resolve().is_relative_to(folder)):
                raise gr.Error("This file was not uploaded.", print_exception=False)


def _paths(value: Any) -> Iterator[Any]:
    """Whatever is called a path in a JSON value, however deep; None aside."""
    if isinstance(value, list):
        for item in value:
            yield from _paths(item)
    elif isinstance(value, dict):
        if value.get("path") is not None:
            yield value["path"]
        yield from _paths([*value.values()])


def build(reader: Reader, *, corrected: Path, pages: Path, examples: Mapping[Path, str]) -> gr.Blocks:
    """Make the page, which reads by `reader` and saves corrections in the folder `corrected`, those of whole pages in
    `pages`.

    examples: pictures with what they are called. They are not saved: models are measured on them.
    """
    lines = "paragraph" if reader.card.paragraphs else "line"
    subject = "a paragraph" if reader.card.paragraphs else "a line, or of a whole page,"
    measured_on = {encode(first_page(path))[0] for path in map(str, examples)}

    def read(picture: str | None, opened: tuple[Opened, ...], before: Shown | None, text: str) -> Outputs:
        found = look(picture, opened)
        return found[0] + _unsaved(before, text), *found[1:]

    def look(picture: str | None, opened: tuple[Opened, ...]) -> Outputs:
        if picture is None:
            return _line(EMPTY)
        try:
            found = reader.read(Path(picture), seconds=SECONDS)
            if isinstance(found, PageReading):
                new, message = open_page(found, picture, pages)
                return page_html(found), "", None, "", gr.Column(visible=False), (*opened, new), message
        except TextrecError as error:
            return _line(message_html(f"Not read: {named(error, picture)}."))
        return _line(reading_html(found), found.text, Shown(picture, found, found.text))

    def read_drawing(drawing: dict[str, str] | None, *others: Any) -> Outputs:
        return read(drawing["composite"] if drawing else None, *others)

    def save(shown: Shown | None, text: str, writer: str) -> tuple[Markup, Shown | None]:
        if shown is None:
            return message_html("Not saved: there is no picture that was read."), shown
        try:
            image = first_page(shown.picture)
            if encode(image)[0] in measured_on:
                said = "Not saved: models are measured on this example, so none may be trained on it."
                return message_html(said), shown
            correction = save_correction(
                corrected,
                image,
                text,
                read=shown.read.text,
                model=reader.card.sha256,
                writer=writer,
                charset=reader.card.charset,
            )
        except TextrecError as error:
            return message_html(f"Not saved: {named(error, shown.picture)}."), shown
        except OSError as error:
            return message_html(f"Not saved: {describe(error)}."), shown
        said = f"Saved in {corrected} as {correction.id[:12]}…: {correction.text}"
        return message_html(said), shown._replace(saved=text)

    with Page(title="textrec", analytics_enabled=False, delete_cache=(KEPT, KEPT)) as page:
        shown = gr.State(None, time_to_live=KEPT)
        gr.HTML(Markup("<h1>Handwriting to text</h1><p>Give a picture of {} of handwriting.</p>").format(subject))
        with gr.Row(equal_height=False):
            with gr.Column():
                with gr.Tab("Picture"):
                    picture = gr.Image(
                        label="Drop, choose, paste or photograph a picture",
                        sources=["upload", "clipboard", "webcam"],
                        type="filepath",
                        height=260,
                        buttons=[],
                    )
                    # Gradio would open the file, and fail with a traceback where it is no picture.
                    picture.preprocess = _path
                    if examples:
                        paths = [[str(path)] for path in examples]
                        gr.Examples(paths, picture, label="Examples", example_labels=list(examples.values()))
                with gr.Tab("Draw"):
                    gr.HTML(message_html(f"Take the brush and write a {lines}."))
                    drawing = gr.Sketchpad(
                        label="Drawing",
                        type="filepath",
                        format="png",
                        height=300,
                        canvas_size=SKETCH,
                        fixed_canvas=True,
                        layers=False,
                        transforms=(),
                        brush=gr.Brush(default_size=PEN, colors=["#000000"], color_mode="fixed"),
                    )
                    read_button = gr.Button("Read the drawing", variant="primary")
            with gr.Column():
                reading = gr.HTML(EMPTY, html_template=STATUS, elem_id="reading")
                with gr.Column() as form:
                    text = gr.Textbox(
                        label="The text, to correct", lines=6 if reader.card.paragraphs else 2, max_length=MOST_TEXT
                    )
                    writer = gr.Textbox(label="Writer, if you like: a name or a number", max_length=MOST_NAME)
                    gr.HTML(message_html(f"Saving keeps the picture and this text on this computer, in {corrected}."))
                    save_button = gr.Button("Save the correction", variant="primary")
                    saved = gr.HTML("", html_template=STATUS, elem_id="saved")
        opened, page_editor = editor(reader, folder=pages)
        with gr.Accordion("What reads here, how well, and where it fails", open=False):
            gr.HTML(card_html(reader.card), elem_id="card")

        outputs = [reading, text, shown, saved, form, opened, page_editor]
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
        given = [opened, shown, text]
        picture.change(read, [picture, *given], outputs, **ONE_AT_A_TIME, **hidden)
        read_button.click(read_drawing, [drawing, *given], outputs, **ONE_AT_A_TIME, **hidden)
        save_button.click(save, [shown, text, writer], [saved, shown], **hidden)
    return page


def _line(reading: Markup, text: str = "", shown: Shown | None = None) -> Outputs:
    """What is shown of a picture that is no page."""
    return reading, text, shown, "", gr.Column(visible=True), gr.skip(), NOTHING


def _unsaved(before: Shown | None, text: str) -> Markup:
    """What was typed of the picture before and not saved, if so, to be copied from here."""
    if before is None or text == before.saved:
        return Markup("")
    return Markup("<p>The correction of the picture before was not saved: <q>{}</q></p>").format(text)


def _path(payload: ImageData | None) -> str | None:
    return payload.path if payload else None
