"""Open the page: `python -m app --help`."""

import argparse
import os
import tempfile
import textwrap
import threading
from pathlib import Path

import numpy as np
from PIL import Image

from app.reader import Card, Reader
from textrec.base.runtime import TextrecError, run
from textrec.datasets.samples import read_split

HOSTS = ["127.0.0.1", "localhost", "[::1]"]  # a site on the web may have its own name lead here, to read the answers
LARGEST_FILE = "20mb"
LONGEST_QUEUE = 16  # readings that wait
EXAMPLES = 6
LABEL = 50  # characters of an example's text


def main() -> None:
    """Serve the page on this computer alone, until Ctrl-C."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="textrec-") as folder:
        # What is uploaded goes when the page ends. Gradio reads both when it is imported.
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        reader = Reader(arguments.model, arguments.finder)
        try:
            _serve(reader, arguments, Path(folder))
        finally:
            reader.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m app", description="Read handwriting in the browser.")
    parser.add_argument("model", nargs="?", type=Path, help="default: as of `textrec read`")
    parser.add_argument("--corrected", type=Path, default=Path("data/corrected"), help="folder for corrections")
    parser.add_argument(
        "--corrected-pages", type=Path, default=Path("data/corrected_pages"), help="folder for corrected pages"
    )
    parser.add_argument("--finder", type=Path, help="line finder for whole pages; default: the one brought along")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument("--open", action="store_true", help="open a browser")
    return parser.parse_args()


def _serve(reader: Reader, arguments: argparse.Namespace, folder: Path) -> None:
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from app.browser import CSS, THEME, build

    folders = {"corrected": arguments.corrected, "pages": arguments.corrected_pages}
    page = build(reader, **folders, examples=_examples(reader.card, folder))
    page.queue(max_size=LONGEST_QUEUE, default_concurrency_limit=1)
    try:
        page.launch(
            server_name="127.0.0.1",
            server_port=arguments.port,
            inbrowser=arguments.open,
            share=False,
            max_file_size=LARGEST_FILE,
            allowed_paths=[],
            app_kwargs={"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)]},
            ssr_mode=False,
            run_history=False,
            footer_links=[],
            theme=THEME,
            css_paths=CSS,
            prevent_thread_lock=True,
            quiet=True,
        )
    except OSError:
        raise TextrecError(f"port {arguments.port} is taken; give another by --port") from None
    print(f"{page.local_url} is open for this computer; Ctrl-C ends it")
    try:
        threading.Event().wait()
    finally:
        page.close(verbose=False)


def _examples(card: Card, folder: Path) -> dict[Path, str]:
    """Pictures of test samples of the kind that the model reads, with their texts; none before `dvc repro`."""
    samples = Path(f"data/processed/iam_{'paragraphs' if card.paragraphs else 'lines'}.h5")
    if not samples.exists():
        return {}
    split = read_split(samples, "test")
    examples = {}
    for index in np.linspace(0, len(split) - 1, min(EXAMPLES, len(split))).round().astype(int):
        path = folder / f"{split.id[index]}.png"
        Image.fromarray(255 - split.image(index)).save(path)
        examples[path] = textwrap.shorten(split.text[index], LABEL, placeholder=" …")
    return examples


if __name__ == "__main__":
    run(main)
