"""The command `textrec`: `textrec read IMAGE...` reads handwriting, `textrec export` converts a model."""

import argparse
import codecs
import csv
import io
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from textrec.base.runtime import TextrecError, fail, run, usable_cores
from textrec.reading.files import Entry, Opened, open_file, out_of_memory, paths, targets, unforeseen, write_xml

if TYPE_CHECKING:  # torch takes seconds to import, in which a wrong option or Ctrl-C is to be answered
    from textrec.reading.recognizer import Recognizer

USUAL = "models/model.ckpt if it learned from more than the sample, else the one that textrec brings along"
ONNX = "models/model.onnx"
WINDOW = 16  # batches: so many crops are in memory at once, twice, and sorted by size
COLUMNS = ("path", "page", "line", "text", "confidence", "accepted", "milliseconds", "error")


def read_images(args: argparse.Namespace) -> int:
    """Read pictures of handwriting, each of one line, or of a paragraph if the model reads paragraphs.

    Files may be PNG, JPEG, TIFF, WebP or PDF, of any size and colour; folders are searched for them. In PAGE and ALTO
    XML each line is read, and the text is written into the file. What cannot be read is reported and counted, and the
    rest is read.
    """
    _have_stdout()
    recognizer = _load(args)
    write = WRITERS[args.out]()
    counts = {"read": 0, "empty": 0, "rejected": 0, "failed": 0}
    size = WINDOW * args.batch_size
    names, out = paths(args.images), {}
    if args.xml_out:
        names = list(names)
        out = targets([name for name in names if name.lower().endswith(".xml")], args.xml_out)
    files = iter(tqdm(names, desc="read", unit="file", disable=None))
    with ThreadPoolExecutor(usable_cores()) as pool:

        def ahead() -> list[Future[Opened]]:
            return [pool.submit(open_file, path, recognizer) for path in islice(files, size)]

        waiting = ahead()
        while waiting:
            window, waiting = waiting, ahead()  # the next are prepared while these are read
            opened = [future.result() for future in window]
            entries = [entry for one in opened for entry in one.entries]
            _read(recognizer, entries, batch_size=args.batch_size, greedy=args.greedy)
            unwritten = [problem for one in opened if (problem := _write_xml(one, args, out))]
            for entry in entries:
                outcome = entry.outcome(args.min_confidence)
                counts[outcome] += 1
                if outcome == "failed":
                    _tell(f"error: {entry.name}: {entry.error}")
                elif outcome == "empty" and entry.crop and entry.crop.lines:
                    _tell(f"warning: {entry.name}: no text was found in its ink; is it turned?")
                write(entry, outcome == "read")
            for problem in unwritten:
                counts["failed"] += 1
                _tell(f"error: {problem}")
            sys.stdout.flush()
    empty = f", {counts['empty']} without text" if counts["empty"] else ""
    rejected = f", {counts['rejected']} less sure than {args.min_confidence:g}" if args.min_confidence else ""
    print(f"{counts['read']} read{empty}{rejected}, {counts['failed']} could not be read", file=sys.stderr)
    return 1 if counts["failed"] else 0


def _write_xml(opened: Opened, args: argparse.Namespace, out: Mapping[str, Path]) -> str | None:
    """Write what was read into an XML file, or where `out` says; what is wrong where that cannot be."""
    if not opened.xml:
        return None
    path = opened.entries[0].path
    options = {"least": args.min_confidence, "only_empty": args.only_empty, "keep": not args.no_backup}
    problem = write_xml(opened.xml, opened.entries, out.get(path, opened.xml.path), **options)
    return problem and f"{path}: {problem}"


def export_model(args: argparse.Namespace) -> int:
    """Convert a model for onnxruntime; read with it by `textrec read --runtime onnx`."""
    from textrec.reading.export import export
    from textrec.reading.recognizer import Recognizer

    export(Recognizer.load(_told(args.model)), args.out)
    print(f"{args.out} written", file=sys.stderr)
    return 0


def _read(recognizer: "Recognizer", entries: list[Entry], *, batch_size: int, greedy: bool) -> None:
    """Read all crops, those of like size together; where that fails each alone, so that one's trouble is its own."""

    def read(found: list[Entry]) -> None:
        start = time.perf_counter()
        crops = [entry.crop for entry in found if entry.crop]
        readings = recognizer.read_prepared(crops, batch_size=batch_size, greedy=greedy)
        share = (time.perf_counter() - start) / max(len(found), 1)
        for entry, reading in zip(found, readings, strict=True):
            entry.reading, entry.seconds = reading, entry.seconds + share

    found = [entry for entry in entries if entry.crop]
    try:
        read(found)
    except Exception as error:
        if out_of_memory(error) and batch_size > 1:
            remedy = "reading one at a time, a smaller one is faster"
            _tell(f"warning: not enough memory for --batch-size {batch_size}; {remedy}")
        for entry in found:
            try:
                read([entry])
            except Exception as problem:
                entry.error = unforeseen(problem)


# ---- what was read ----


def _have_stdout() -> None:
    """Have standard output take whatever is read, and names that are no text: what it lacks is written as an escape."""
    if sys.stdout is None:
        raise TextrecError("standard output is closed, and what is read goes there; send it to a file")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _tell(message: str) -> None:
    """Say something on standard error, on one line whatever a file is called."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
    tqdm.write(shown, file=sys.stderr)


def _record(entry: Entry, accepted: bool) -> dict[str, Any]:
    """What is told of an entry; page, line and error only where there are such."""
    where = {"path": entry.path, "page": entry.page, "line": entry.line, "error": entry.error}
    record: dict[str, Any] = {name: value for name, value in where.items() if value is not None}
    if entry.reading:
        record |= {
            "text": entry.reading.text,
            "confidence": round(entry.reading.confidence, 4),
            "characters": [round(value, 4) for value in entry.reading.characters],
            "accepted": accepted,
            "milliseconds": round(1000 * entry.seconds, 1),
        }
    return record


def _jsonl() -> Callable[[Entry, bool], None]:
    # In UTF-8 only what is no text is escaped, as JSON does it; elsewhere JSON's own escapes are the only good ones.
    ascii_only = codecs.lookup(sys.stdout.encoding).name != "utf-8"
    return lambda entry, accepted: print(json.dumps(_record(entry, accepted), ensure_ascii=ascii_only))


def _text() -> Callable[[Entry, bool], None]:
    # A line for each, as they can be counted then.
    return lambda entry, accepted: print(entry.reading.text if entry.reading and accepted else "")


def _csv() -> Callable[[Entry, bool], None]:
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(COLUMNS)

    def write(entry: Entry, accepted: bool) -> None:
        record = _record(entry, accepted)
        table.writerow([record.get(name, "") for name in COLUMNS])

    return write


WRITERS = {"jsonl": _jsonl, "text": _text, "csv": _csv}


# ---- the command line ----


def _load(args: argparse.Namespace) -> "Recognizer":
    from textrec.network.devices import best_device
    from textrec.reading.recognizer import Recognizer

    device = args.device
    if device == "auto":
        device = best_device() if args.runtime == "torch" else "cpu"
    elif not device.startswith("cpu") and best_device() == "cpu":
        raise TextrecError(f"--device {device}: torch finds no such device; leave it out, or say cpu")
    if args.runtime == "onnx":
        if args.compile or device != "cpu":
            raise TextrecError("--runtime onnx reads on the processor, and has nothing to compile: leave the rest out")
        return Recognizer.load_export(args.model or ONNX)
    recognizer = Recognizer.load(_told(args.model), device=device)
    if args.compile:
        recognizer.compile()
    return recognizer


def _told(model: str | None) -> str | Path:
    """The model that is named; where none is the usual one, which is said."""
    from textrec.reading.recognizer import usual_model

    if model is not None:
        return model
    path = usual_model()
    print(f"model: {path}", file=sys.stderr)
    return path


def _parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="textrec", description="Read handwriting.")
    commands = main.add_subparsers(required=True, metavar="read | export")
    read = commands.add_parser("read", help="read pictures of handwriting", description=read_images.__doc__)
    read.add_argument("images", nargs="+", metavar="IMAGE", help="file, folder, pattern, PAGE or ALTO XML; -: a list")
    read.add_argument("--model", metavar="PATH", help=f"default: {USUAL}; with --runtime onnx {ONNX}")
    read.add_argument("--out", choices=WRITERS, default="jsonl", help="what to write; default: %(default)s")
    read.add_argument("--xml-out", metavar="FOLDER", type=Path, help="of XML; default: over the file that was read")
    read.add_argument("--only-empty", action="store_true", help="of XML, leave lines that have a text as they are")
    read.add_argument("--no-backup", action="store_true", help="of XML that is written over, keep no NAME.xml.bak")
    read.add_argument("--device", default="auto", help="cpu, cuda, cuda:1; default: a GPU where there is one")
    read.add_argument("--runtime", choices=("torch", "onnx"), default="torch", help="default: %(default)s")
    read.add_argument("--compile", action="store_true", help="torch.compile: slower to begin with, then faster")
    read.add_argument("--batch-size", type=_positive, default=32, metavar="N", help="default: %(default)s")
    read.add_argument("--greedy", action="store_true", help="by the CTC head alone: faster, and a little worse")
    read.add_argument(
        "--min-confidence", type=_share, default=0.0, metavar="P", help="reject what is less sure, 0 to 1"
    )
    read.set_defaults(run=read_images)
    export = commands.add_parser("export", help="convert a model for onnxruntime", description=export_model.__doc__)
    export.add_argument("--model", metavar="PATH", help=f"default: {USUAL}")
    export.add_argument("--out", metavar="PATH", default=ONNX, help="default: %(default)s")
    export.set_defaults(run=export_model)
    return main


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value


def main() -> None:
    """Run the command of the command line and exit: 0, 1 where something could not be read, 130 after Ctrl-C."""
    if sys.stderr is None:  # closed: else the first file that is opened would be in its place
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    args = _parser().parse_args()
    warnings.filterwarnings("ignore", module="PIL")  # of a damaged picture an error tells

    def command() -> None:
        try:
            sys.exit(args.run(args))
        except KeyboardInterrupt:
            fail("interrupted; all that was written is whole", code=130)
        except BrokenPipeError:  # whoever took the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)

    run(command)


if __name__ == "__main__":
    main()
