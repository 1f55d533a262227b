"""The command `textrec`: it reads handwriting, a few pictures or millions (`bulk`), and converts a model (`export`)."""

import argparse
import contextlib
import io
import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from textrec.archives.fetch import digest
from textrec.base.runtime import TextrecError, fail, run, usable_cores
from textrec.network.memory import bound_memory
from textrec.reading.files import pages_of, paths, targets
from textrec.reading.outputs import FILES, STREAMS, Files, draw
from textrec.reading.sheets import Sheet, outcome, read_files, tell, write_xml, writing

if TYPE_CHECKING:  # torch takes seconds to import, in which a wrong option or Ctrl-C is to be answered
    from textrec.bulk.job import Runner
    from textrec.network.finder import LineFinder
    from textrec.reading.recognizer import Recognizer

USUAL = "models/model.ckpt if it learned from more than the sample, else the one that textrec brings along"
ONNX = "models/model.onnx"


def read_images(args: argparse.Namespace) -> int:
    """Read pictures of handwriting: pages, whose lines are found, or single lines; a model of paragraphs reads those.

    Files may be PNG, JPEG, TIFF, WebP or PDF, of any size and colour; folders are searched for them. In PAGE and ALTO
    XML each line is read, and the text is written into the file. What cannot be read is reported and counted, and the
    rest is read.
    """
    _have_stdout()
    bound_memory()
    if args.out in FILES and not args.to:
        raise TextrecError(f"--out {args.out} makes files; say in which folder by --to FOLDER")
    for folder in filter(None, (args.to, args.draw)):  # before what takes long
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise TextrecError(f"{folder}: nothing can be written there; name another folder")
    recognizer = _load(args)
    finder = _finder(args, recognizer)
    names, places, drawn = paths(args.images), {}, {}
    if args.to or args.draw:
        names = list(dict.fromkeys(names))
        places, drawn = (targets(names, folder) if folder else {} for folder in (args.to, args.draw))
    counts: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(Files(args.out, places, args.min_confidence)) if args.out in FILES else None
        output = files or STREAMS[args.out](args.min_confidence)

        def to_do() -> Iterator[tuple[str, int | None]]:
            for path in tqdm(names, desc="read", unit="file", disable=None):
                for page in pages_of(path):
                    if files and not args.again and files.target(*page).exists():
                        counts["there"] += 1
                    else:
                        yield page

        options = {"kind": args.kind, "batch_size": args.batch_size, "greedy": args.greedy}
        for sheets in read_files(to_do(), recognizer, finder, **options):
            for sheet in sheets:
                _count(sheet, args.min_confidence, counts)
                target = places[sheet.path].with_name(Path(sheet.path).name) if args.to else None
                _written(counts, partial(_write_xml, sheet, target, args))
                if files:
                    _written(counts, partial(files.leave, sheet))
                _written(counts, partial(output.write, sheet))
                if sheet.path in drawn:
                    _written(counts, partial(draw, sheet, drawn[sheet.path]))
            sys.stdout.flush()
        if files:
            _written(counts, files.close)
    empty = f", {counts['empty']} without text" if counts["empty"] else ""
    rejected = f", {counts['rejected']} less sure than {args.min_confidence:g}" if args.min_confidence else ""
    there = f", {counts['there']} were there already" if counts["there"] else ""
    print(f"{counts['read']} read{empty}{rejected}{there}, {counts['failed']} could not be read", file=sys.stderr)
    return 1 if counts["failed"] else 0


def _count(sheet: Sheet, least: float, counts: Counter[str]) -> None:
    """Count what came of the lines of a page, and tell what is wrong with it, or strange."""
    if sheet.error:
        counts["failed"] += 1
        tell(f"error: {sheet.name}: {sheet.error}")
    if not sheet.reading:
        return
    page = sheet.reading
    if page.turned:
        tell(f"note: {sheet.name}: the page is turned by {90 * page.turned} degrees clockwise")
    if not page.lines:
        counts["empty"] += 1
        tell(f"warning: {sheet.name}: no line of text was found")
    for line in page.lines:
        counts[result := outcome(line, least)] += 1
        if result == "failed":
            tell(f"error: {sheet.line_name(line)}: {line.problem}")
        elif result == "empty" and not line.blank:
            tell(f"warning: {sheet.line_name(line)}: no text was found in its ink; is it turned?")


def _written(counts: Counter[str], write: Callable[[], None]) -> None:
    """Write something; what keeps it from that is told and counted."""
    try:
        write()
    except TextrecError as error:
        counts["failed"] += 1
        tell(f"error: {error}")


def _write_xml(sheet: Sheet, target: Path | None, args: argparse.Namespace) -> None:
    if sheet.xml:
        target = target or sheet.xml.path
        with writing(target, of=sheet.path):
            keep = not args.no_backup
            write_xml(sheet, target, least=args.min_confidence, only_empty=args.only_empty, keep=keep)


def read_bulk(args: argparse.Namespace) -> int:
    """Read pictures by the thousand or million, of pages or lines, to tables: Parquet files in a folder.

    A source is a folder, a file, a pattern, a tar file of pictures, a list of such (.txt), or the same in a bucket or
    on a web server, by its address (s3://, gs://, https://). Whatever breaks it off, each page stands in the tables
    once: the same command goes on where it was.
    """
    from textrec.bulk.job import Job
    from textrec.bulk.local import Processes
    from textrec.bulk.worker import How
    from textrec.reading.recognizer import BOXED_FINDER, Recognizer

    model, finder = Path(_told(args.model)), Path(args.finder or BOXED_FINDER)
    if Recognizer.load(model).paragraphs:
        raise TextrecError(f"{model}: a model of paragraphs; tables of lines want one of lines")
    how = How(digest(model), digest(finder), args.kind, greedy=args.greedy)
    job = Job(Path(args.out), how)

    def runner() -> "Runner":
        if args.cluster is not None:
            from textrec.bulk.cluster import Cluster

            return Cluster(args.cluster or None, model, finder, how, workers=args.workers)
        workers = args.workers or usable_cores()
        cores = max(1, usable_cores() // workers)
        return Processes(model, finder, how, workers=workers, cores=cores, scratch=job.scratch)

    with job.open(args.sources, args.unit) as left:
        for source in left.sources:
            tell(f"note: {source}: no picture there")
        if left.files:
            tell(f"note: {left.files:,} files are left, as they are no pictures by their names")
        with runner() as running:
            counts = job.run(running)
    empty = f", {counts['empty']:,} without text" if counts["empty"] else ""
    unread = f" ({counts['failed_lines']:,} could not be read)" if counts["failed_lines"] else ""
    pages = counts["pages"] - counts["failed"]
    told = f"{pages:,} pages read, {counts['lines']:,} lines{unread}{empty}, {counts['failed']:,} could not be read"
    print(told, file=sys.stderr)
    return 1 if counts["failed"] or counts["failed_lines"] else 0


def export_model(args: argparse.Namespace) -> int:
    """Convert a model for onnxruntime; read with it by `textrec read --runtime onnx`."""
    from textrec.reading.export import export
    from textrec.reading.recognizer import Recognizer

    export(Recognizer.load(_told(args.model)), args.out)
    print(f"{args.out} written", file=sys.stderr)
    return 0


# ---- what was read ----


def _have_stdout() -> None:
    """Have standard output take whatever is read, and names that are no text: what it lacks is written as an escape."""
    if sys.stdout is None:
        raise TextrecError("standard output is closed, and what is read goes there; send it to a file")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


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


def _finder(args: argparse.Namespace, recognizer: "Recognizer") -> "LineFinder":
    from textrec.network.finder import LineFinder
    from textrec.reading.recognizer import boxed_finder

    if recognizer.paragraphs and (args.kind or args.out in (*FILES, "tsv")):
        problem = "this is a model of paragraphs, which reads a picture at once and does not say where its lines are"
        raise TextrecError(f"{problem}; name one of lines, or leave --lines, --page and such an --out away")
    finder = LineFinder.load(args.finder) if args.finder else boxed_finder()
    return finder.to(recognizer.model.device)


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
    commands = main.add_subparsers(required=True, metavar="read | bulk | export")
    read = commands.add_parser("read", help="read pictures of handwriting", description=read_images.__doc__)
    read.add_argument("images", nargs="+", metavar="IMAGE", help="file, folder, pattern, PAGE or ALTO XML; -: a list")
    read.add_argument("--model", metavar="PATH", help=f"default: {USUAL}; with --runtime onnx {ONNX}")
    _add_how(read)
    read.add_argument("--out", choices=(*STREAMS, *FILES), default="jsonl", help="what to write; default: %(default)s")
    read.add_argument("--to", metavar="FOLDER", type=Path, help="for files; of XML default: over what was read")
    read.add_argument("--again", action="store_true", help="make files anew that are there already")
    read.add_argument("--draw", metavar="FOLDER", type=Path, help="for pictures of the lines that were found")
    read.add_argument("--only-empty", action="store_true", help="of XML, leave lines that have a text as they are")
    read.add_argument("--no-backup", action="store_true", help="of XML that is written over, keep no NAME.xml.bak")
    read.add_argument("--device", default="auto", help="cpu, cuda, cuda:1; default: a GPU where there is one")
    read.add_argument("--runtime", choices=("torch", "onnx"), default="torch", help="default: %(default)s")
    read.add_argument("--compile", action="store_true", help="torch.compile: slower to begin with, then faster")
    read.add_argument("--batch-size", type=_positive, default=32, metavar="N", help="default: %(default)s")
    read.add_argument(
        "--min-confidence", type=_share, default=0.0, metavar="P", help="reject what is less sure, 0 to 1"
    )
    read.set_defaults(run=read_images)
    bulk = commands.add_parser("bulk", help="read pictures by the million", description=read_bulk.__doc__)
    bulk.add_argument("sources", nargs="+", metavar="SOURCE", help="folder, file, pattern, .tar, list; path or address")
    bulk.add_argument("--out", required=True, metavar="FOLDER", help="for the tables")
    bulk.add_argument("--model", metavar="PATH", help=f"default: {USUAL}")
    _add_how(bulk)
    bulk.add_argument(
        "--cluster", nargs="?", const="", metavar="ADDRESS", help="read on a Ray cluster; default: this machine's"
    )
    bulk.add_argument("--workers", type=_positive, metavar="N", help="processes that read; default: one a core, or GPU")
    bulk.add_argument("--unit", type=_positive, default=64, metavar="N", help="pages a file; default: %(default)s")
    bulk.set_defaults(run=read_bulk)
    export = commands.add_parser("export", help="convert a model for onnxruntime", description=export_model.__doc__)
    export.add_argument("--model", metavar="PATH", help=f"default: {USUAL}")
    export.add_argument("--out", metavar="PATH", default=ONNX, help="default: %(default)s")
    export.set_defaults(run=export_model)
    return main


def _add_how(command: argparse.ArgumentParser) -> None:
    """How pictures are read, whatever becomes of their texts."""
    kinds = command.add_mutually_exclusive_group()
    kinds.add_argument("--lines", dest="kind", action="store_const", const="line", help="each picture is of one line")
    kinds.add_argument("--page", dest="kind", action="store_const", const="page", help="or each is a page")
    command.add_argument("--finder", metavar="PATH", help="of lines; default: the one that textrec brings along")
    command.add_argument("--greedy", action="store_true", help="by the CTC head alone: faster, and a little worse")


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
