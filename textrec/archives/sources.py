"""Where the raw archives come from, and the one form that every source is brought to.

    iamdb.zip    forms/<id>.jpg or .png, xml/<id>.xml, task/<list>.txt
    matlab.zip   emnist-byclass.mat
    corpus.txt   sentences in ASCII, one a line
    ondb.zip     lines of on-line handwriting as `textrec.datasets.strokes` describes them; none where a source has none

Members are untouched, stored, sorted by name, with fixed dates: the bytes depend on the contents alone.
"""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator
from tqdm import tqdm

from textrec.archives.fetch import Url, digest, fetch, is_safe, redact, wrong_digest
from textrec.archives.gdrive import DriveParams, find, session
from textrec.archives.repack import Member, open_members, write_zip
from textrec.base.params import Params
from textrec.base.runtime import TextrecError, atomic

# Per archive: the folder for members of the first group's name, and which they are, in whatever folder they lie.
# Files whose names begin with a dot are file managers' notes.
LISTS = ("trainset", "validationset1", "validationset2", "testset")
TASK = rf"((?:{'|'.join(LISTS)})\.txt)"
COURSE = {"iamdb.zip": ("", rf"((?:forms/[^/.][^/]*\.(?:jpg|png)|xml/[^/.][^/]*\.xml|task/{TASK}))")}
ORIGINALS = {
    "formsA-D.tgz": ("forms/", r"([^/.][^/]*\.png)"),
    "formsE-H.tgz": ("forms/", r"([^/.][^/]*\.png)"),
    "formsI-Z.tgz": ("forms/", r"([^/.][^/]*\.png)"),
    "xml.tgz": ("xml/", r"([^/.][^/]*\.xml)"),
    "largeWriterIndependentTextLineRecognitionTask.zip": ("task/", TASK),
}
EMNIST = {"matlab.zip": ("", r"(emnist-byclass\.mat)")}
BROWN = {"brown.zip": ("", r"(c[a-r]\d\d)")}
ARRAYS = ("points", "stroke_end", "line_end", "line_id", "text")
PACKED_STROKES = {"ondb_strokes.npz": ("", rf"((?:{'|'.join(ARRAYS)})\.npy)")}
STROKES = {
    "lineStrokes-all.tar.gz": ("lineStrokes/", r"([^/.][^/]*\.xml)"),
    "ascii-all.tar.gz": ("ascii/", r"([^/.][^/]*\.txt)"),
}
ALL_OF_A_KIND = (".mat", ".npy")  # members that hold what others have in thousands of files
LAYOUTS = COURSE | ORIGINALS | EMNIST | BROWN | PACKED_STROKES | STROKES

IAM_HOME = "https://fki.tic.heia-fr.ch/databases/iam-handwriting-database"
EMNIST_HOME = "https://www.nist.gov/itl/products-and-services/emnist-dataset"
NO_STROKES = f"no lines, for there is neither {', '.join(PACKED_STROKES)} nor {' and '.join(STROKES)}"
ONDB_HOME = "https://fki.tic.heia-fr.ch/databases/iam-on-line-handwriting-database"


class SampleParams(Params):
    """The embedded sample."""

    forms: Annotated[int, Field(gt=0)]
    """Handwritten forms."""
    seed: Annotated[int, Field(ge=0)]


class DataParams(Params):
    """Section `data`. The stage runs again when a parameter changes, not when a file in `path` does."""

    source: Literal["sample", "local", "url", "gdrive"]
    sample: SampleParams
    path: str | None
    """local: the folder that holds the archives, absolute or relative to the project."""
    urls: dict[str, str]
    """url: archive name -> https address."""
    gdrive: DriveParams
    sha256: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]
    """Archive name -> digest; checked where given, required for url."""
    max_unpacked_gib: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """An archive that unpacks to more is refused."""
    max_member_mib: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """An archive with a larger image, XML or text file is refused: the stages read such files whole."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for key, names in (("urls", self.urls), ("gdrive.files", self.gdrive.files), ("sha256", self.sha256)):
            if unknown := names.keys() - LAYOUTS:
                raise TextrecError(f"data.{key} names {_listing(unknown)}; known are {_listing(LAYOUTS)}")
        if self.source == "local" and not self.path:
            raise TextrecError(
                "data.path is not set; with data.source: local it names the folder that holds the archives"
            )
        if self.source == "gdrive" and not (self.gdrive.folder or self.gdrive.files):
            raise TextrecError(
                "data.gdrive.folder is not set; with data.source: gdrive it is the folder of the archives"
            )
        if self.source == "url":
            for name in choose_archives(self.urls, where="data.urls"):
                if not is_safe(self.urls[name]):
                    raise TextrecError(f"data.urls.{name} is {redact(self.urls[name])}: must begin with https://")
                if name not in self.sha256:
                    raise TextrecError(f"data.sha256.{name} is missing; with data.source: url every archive needs one")
        return self


class Brought(NamedTuple):
    """What there was: `lines` that tell what the outputs hold, and of each archive read its size and its digest."""

    lines: list[str]
    archives: dict[str, dict[str, int | str]]


def bring(params: DataParams, raw: Path) -> Brought:
    """Write iamdb.zip, matlab.zip, corpus.txt and ondb.zip to the folder `raw`.

    IAM is the course archive where it is there, else the original downloads, of which none may be missing; likewise
    IAM-OnDB, which may be missing as a whole.
    All four are replaced or none: raises TextrecError where an archive is missing, damaged, unsafe or incomplete.
    """
    with SOURCES[params.source](params, raw) as folder, contextlib.ExitStack() as stack:
        present = [path.name for path in folder.iterdir() if path.is_file()]
        names = choose_archives(present, where=str(folder))
        found: dict[str, dict[str, Member]] = {}
        archives: dict[str, dict[str, int | str]] = {}
        for name in names:
            path = folder / name
            got = digest(path)
            if got != params.sha256.get(name, got):
                raise TextrecError(wrong_digest(path, expected=params.sha256[name], got=got))
            archives[name] = {"bytes": path.stat().st_size, "sha256": got}
            limit = params.max_unpacked_gib
            members = stack.enter_context(open_members(path, scratch=raw, max_unpacked_gib=limit))
            found[name] = _lay_out(name, members, max_member_mib=params.max_member_mib)
        emnist, brown = found.pop("matlab.zip"), found.pop("brown.zip", None)
        strokes = {name: found.pop(name) for name in (*PACKED_STROKES, *STROKES) if name in found}
        _require(emnist, ["emnist-byclass.mat"], folder / "matlab.zip")
        iam = _merge(found.values())
        where = folder / "iamdb.zip" if "iamdb.zip" in found else folder
        _require(iam, [f"task/{name}.txt" for name in LISTS], where)
        counts = {kind: sum(name.startswith(f"{kind}/") for name in iam) for kind in ("forms", "xml")}
        for kind, count in counts.items():
            if not count:
                raise TextrecError(f"{where}: no member in {kind}/; get IAM anew from {IAM_HOME}")
        for name, part in strokes.items():
            if not part:
                raise TextrecError(f"{folder / name}: no member is IAM-OnDB's; get it anew from {ONDB_HOME}")
            if name in PACKED_STROKES:
                _require(part, [f"{array}.npy" for array in ARRAYS], folder / name)
        sentences = _sample_sentences() if brown is None else _brown_sentences(brown, folder / "brown.zip")
        with (
            atomic(raw / "iamdb.zip") as pages,
            atomic(raw / "matlab.zip") as glyphs,
            atomic(raw / "corpus.txt") as text,
            atomic(raw / "ondb.zip") as lines,
        ):
            write_zip(pages, iam, description="iamdb.zip")
            write_zip(glyphs, emnist, description="matlab.zip")
            write_zip(lines, _merge(strokes.values()), description="ondb.zip")
            text.write_text("".join(f"{sentence}\n" for sentence in sentences), encoding="ascii", newline="\n")
    lines = [
        f"iamdb.zip: {counts['forms']} forms and {counts['xml']} XML files from {_listing(found)}",
        f"matlab.zip: emnist-byclass.mat, {emnist['emnist-byclass.mat'].size / 2**20:.1f} MiB",
        f"corpus.txt: {len(sentences)} sentences from {'the sample text' if brown is None else 'brown.zip'}",
        f"ondb.zip: {' and '.join(f'{len(part)} members of {name}' for name, part in strokes.items()) or NO_STROKES}",
    ]
    return Brought(lines, archives)


def choose_archives(present: Iterable[str], *, where: str) -> list[str]:
    """The archives to read of those present: IAM's course archive, else its original downloads; EMNIST; Brown if there;
    IAM-OnDB if there, its strokes as arrays before its original downloads.

    TextrecError, beginning with `where`, names the missing ones and where to get them.
    """
    present = set(present)
    if "iamdb.zip" in present:
        iam = ["iamdb.zip"]
    elif missing := [name for name in ORIGINALS if name not in present]:
        whole = "" if len(missing) < len(ORIGINALS) else "iamdb.zip is missing, and so are the original downloads: "
        raise TextrecError(f"{where}: {whole}{_listing(missing)} not found; get IAM from {IAM_HOME}")
    else:
        iam = list(ORIGINALS)
    if "matlab.zip" not in present:
        raise TextrecError(f"{where}: matlab.zip not found; get EMNIST in MATLAB format from {EMNIST_HOME}")
    strokes = list(PACKED_STROKES if present >= PACKED_STROKES.keys() else STROKES)
    if (missing := [name for name in strokes if name not in present]) and len(missing) < len(strokes):
        raise TextrecError(f"{where}: {_listing(missing)} not found; get IAM-OnDB from {ONDB_HOME}")
    return [*iam, "matlab.zip", *(name for name in ("brown.zip", *strokes) if name in present)]


def _lay_out(archive: str, members: Iterable[Member], *, max_member_mib: float) -> dict[str, Member]:
    """Those members that are wanted of an archive, by the names that they get; TextrecError where one is too large."""
    prefix, pattern = LAYOUTS[archive]
    matches = [(re.fullmatch(rf"(?:.*/)?{pattern}", member.name), member) for member in members]
    laid_out = _merge({prefix + match[1]: member} for match, member in matches if match)
    for name, member in laid_out.items():
        if member.size > max_member_mib * 2**20 and not name.endswith(ALL_OF_A_KIND):
            raise TextrecError(
                f"{member}: {member.size / 2**20:,.1f} MiB, more than data.max_member_mib = {max_member_mib}; "
                "raise it if you trust the archive and have the memory"
            )
    return laid_out


def _merge(parts: Iterable[dict[str, Member]]) -> dict[str, Member]:
    """All parts as one; TextrecError where two members give the same form id, list or file."""
    merged: dict[str, Member] = {}
    by_id: dict[PurePosixPath, Member] = {}
    for part in parts:
        for name, member in part.items():
            other = by_id.setdefault(PurePosixPath(name).with_suffix(""), member)
            if other is not member:
                raise TextrecError(f"{member}: {name} is also given by {other}; remove one of them")
            merged[name] = member
    return merged


def _require(members: dict[str, Member], names: list[str], where: Path) -> None:
    if missing := [name for name in names if name not in members]:
        raise TextrecError(f"{where}: {_listing(missing)} is missing in the archive; fetch it anew")


def _listing(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


# ---- sources: each yields a folder that holds the archives ----


@contextlib.contextmanager
def _sample(params: DataParams, raw: Path) -> Iterator[Path]:  # noqa: ARG001
    from textrec.drawn.handwriting import write_sample  # drawing libraries, which no other source needs

    with tempfile.TemporaryDirectory() as folder:
        write_sample(Path(folder), forms=params.sample.forms, seed=params.sample.seed)
        yield Path(folder)


@contextlib.contextmanager
def _local(params: DataParams, raw: Path) -> Iterator[Path]:  # noqa: ARG001
    folder = Path(str(params.path))
    if not folder.is_dir():
        raise TextrecError(f"data.path: no folder {folder}; it must hold the archives of IAM and EMNIST")
    yield folder


@contextlib.contextmanager
def _url(params: DataParams, raw: Path) -> Iterator[Path]:
    folder = raw / "archives"
    for name in choose_archives(params.urls, where="data.urls"):
        fetch(Url(params.urls[name]), folder / name, expected=params.sha256[name])
    yield folder
    shutil.rmtree(folder)  # only now: after a failure the next run goes on from what is there


@contextlib.contextmanager
def _gdrive(params: DataParams, raw: Path) -> Iterator[Path]:
    folder = raw / "archives"
    with session() as client:
        found = find(client, params.gdrive, LAYOUTS)
        for name in choose_archives(found, where="Google Drive"):
            fetch(found[name], folder / name, expected=found[name].md5, algorithm="md5")
    yield folder
    shutil.rmtree(folder)


SOURCES: dict[str, Callable[[DataParams, Path], contextlib.AbstractContextManager[Path]]] = {
    "sample": _sample,
    "local": _local,
    "url": _url,
    "gdrive": _gdrive,
}


# ---- the corpus ----


def _sample_sentences() -> tuple[str, ...]:
    from textrec.drawn.prose import sample_text  # with numpy, which nothing else here needs

    return sample_text()


def _brown_sentences(members: dict[str, Member], archive: Path) -> list[str]:
    """The sentences of the Brown corpus as plain text."""
    from nltk import data  # a second to import
    from nltk.corpus.reader import TaggedCorpusReader
    from nltk.tokenize.treebank import TreebankWordDetokenizer

    if not members:
        raise TextrecError(f"{archive}: no member ca01 to cr09; it must be NLTK's package of the Brown corpus")
    join = TreebankWordDetokenizer().detokenize
    with tempfile.TemporaryDirectory() as folder:
        for name, member in members.items():
            with Path(folder, name).open("wb") as file:
                file.writelines(member.read())
        data.path.append(folder)  # the readers of NLTK open nothing elsewhere
        try:
            tokens: Any = TaggedCorpusReader(folder, sorted(members), encoding="ascii").sents()
            sentences = [join(words) for words in tqdm(tokens, desc="corpus", unit="sentence", disable=None)]
        except UnicodeDecodeError as error:
            raise TextrecError(f"{archive}: not ASCII ({error}); fetch NLTK's package anew") from None
        finally:
            data.path.remove(folder)
    # The corpus gives these marks twice where they end a sentence or clause.
    return [re.sub(r"([;?!])\s*\1", r"\1", sentence) for sentence in sentences]
