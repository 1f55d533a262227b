"""Where the raw archives come from, and the one form that every source is brought to.

    iamdb.zip    forms/<id>.jpg or .png, xml/<id>.xml, task/<list>.txt
    matlab.zip   emnist-byclass.mat
    corpus.txt   sentences, one a line
    ondb.zip     lines of on-line handwriting as `textrec.datasets.strokes` describes them
    ground_truth.zip    <name>/ for each of `data.ground_truth`, with all that is in it but for hidden files
    fonts.zip    the fonts of `data.fonts`, each under its bare name

An archive has no members where a source has none of its kind.
Members are untouched, stored, sorted by name, with fixed dates: the bytes depend on the contents alone.
"""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator
from tqdm import tqdm

from textrec.archives.fetch import Url, digest, fetch, is_safe, redact, wrong_digest
from textrec.archives.gdrive import DriveParams, find, session
from textrec.archives.repack import Member, open_members, write_zip
from textrec.base.params import Params
from textrec.base.runtime import Place, TextrecError, atomic

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
SAMPLE_TRUTH = "letters.zip"
LAYOUTS = COURSE | ORIGINALS | EMNIST | BROWN | PACKED_STROKES | STROKES

FONTS = re.compile(r"(?:.*/)?([^/.][^/]*\.(?:ttf|otf|woff|woff2))", re.IGNORECASE)

IAM_HOME = "https://fki.tic.heia-fr.ch/databases/iam-handwriting-database"
EMNIST_HOME = "https://www.nist.gov/itl/products-and-services/emnist-dataset"
NO_FORMS = f"no forms, for there is neither {', '.join(COURSE)} nor {', '.join(ORIGINALS)}; get IAM from {IAM_HOME}"
NO_GLYPHS = f"no glyphs, for there is no {', '.join(EMNIST)}; get EMNIST in MATLAB format from {EMNIST_HOME}"
NO_STROKES = f"no lines, for there is neither {', '.join(PACKED_STROKES)} nor {' and '.join(STROKES)}"
NO_TRUTH = "no pages, for data.ground_truth names none"
NO_FONTS = "no fonts, for data.fonts names none"
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
    """local: the folder that holds the archives, absolute or relative to the project; sample: your pages alone."""
    urls: dict[str, str]
    """url: archive name -> https address."""
    gdrive: DriveParams
    sha256: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]
    """Archive name -> digest; checked where given, required for url."""
    ground_truth: list[Annotated[str, Field(pattern=r"^[^/\\.][^/\\]*$")]]
    """Names of transcribed pages beside the archives: zip files or, in `path`, folders too."""
    fonts: str | None
    """A folder or zip file of fonts: TTF, OTF, WOFF, WOFF2, in whatever folders below; null: none."""
    corpus: list[str]
    """Text files for lines that are drawn, UTF-8, a sentence or a paragraph a line; none: Brown, else the sample's."""
    workers: Place
    """Who draws lines and stacks paragraphs: the cores of this machine, or a Ray cluster."""
    max_unpacked_gib: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """An archive that unpacks to more is refused."""
    max_member_mib: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """An archive with a larger image, XML or text file is refused: the stages read such files whole."""

    @property
    def truths(self) -> list[str]:
        """The archives of transcribed pages; the sample has its own where none are given."""
        return self.ground_truth or ([SAMPLE_TRUTH] if self.source == "sample" else [])

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for key, names in (("urls", self.urls), ("gdrive.files", self.gdrive.files), ("sha256", self.sha256)):
            known = [*LAYOUTS, *self.ground_truth]
            if unknown := names.keys() - set(known):
                raise TextrecError(f"data.{key} names {_listing(unknown)}; known are {_listing(known)}")
        self._check_ground_truth()
        if not self.path and (self.source == "local" or (self.source == "sample" and self.ground_truth)):
            held = "the archives" if self.source == "local" else "what data.ground_truth names"
            raise TextrecError(
                f"data.path is not set; with data.source: {self.source} it names the folder that holds {held}"
            )
        if self.source == "gdrive" and not (self.gdrive.folder or self.gdrive.files):
            raise TextrecError(
                "data.gdrive.folder is not set; with data.source: gdrive it is the folder of the archives"
            )
        if self.source == "url":
            for name in wanted(self, self.urls, where="data.urls"):
                if not is_safe(self.urls[name]):
                    raise TextrecError(f"data.urls.{name} is {redact(self.urls[name])}: must begin with https://")
                if name not in self.sha256:
                    raise TextrecError(f"data.sha256.{name} is missing; with data.source: url every archive needs one")
        return self

    def _check_ground_truth(self) -> None:
        names = [corpus_name(name) for name in self.ground_truth]
        if twice := {name for name in names if names.count(name) > 1}:
            raise TextrecError(f"data.ground_truth names {_listing(twice)} twice; leave one, or rename it")
        here = self.source in ("local", "sample")
        for name in self.ground_truth:
            if name in LAYOUTS or not (here or name.endswith(".zip")):
                kinds = "a folder or a zip file" if here else "a zip file"
                raise TextrecError(f"data.ground_truth: {name!r} cannot be taken; it must be {kinds} of its own")


class Brought(NamedTuple):
    """What there was: `lines` that tell what the outputs hold, and of each archive read its size and its digest."""

    lines: list[str]
    archives: dict[str, dict[str, int | str]]


def bring(params: DataParams, raw: Path) -> Brought:
    """Write iamdb.zip, matlab.zip, corpus.txt, ondb.zip, ground_truth.zip and fonts.zip to the folder `raw`.

    IAM is the course archive where it is there, else the original downloads; likewise IAM-OnDB. Either, and EMNIST, may
    be missing as a whole, not in part.
    All are replaced or none: raises TextrecError where an archive is missing, damaged, unsafe or incomplete.
    """
    with SOURCES[params.source](params, raw) as folder, contextlib.ExitStack() as stack:
        # Your own pages beside the sample are not in the folder in which it is drawn.
        places = {
            name: Path(params.path or folder) if params.source == "sample" else folder for name in params.ground_truth
        }
        present = [path.name for path in folder.iterdir() if path.is_file()]
        present += [name for name in params.ground_truth if (places[name] / name).exists()]
        found: dict[str, dict[str, Member]] = {}
        truth: dict[str, Member] = {}
        archives: dict[str, dict[str, int | str]] = {}
        for name in wanted(params, present, where=str(folder)):
            path = places.get(name, folder) / name
            if path.is_file():
                got = digest(path)
                if got != params.sha256.get(name, got):
                    raise TextrecError(wrong_digest(path, expected=params.sha256[name], got=got))
                archives[name] = {"bytes": path.stat().st_size, "sha256": got}
            elif name in params.sha256:
                raise TextrecError(f"data.sha256.{name}: {path} is a folder, which has no digest; leave it out")
            limit = params.max_unpacked_gib
            members = stack.enter_context(open_members(path, scratch=raw, max_unpacked_gib=limit))
            if name in params.truths:
                own = _gather(path, members)
                archives.setdefault(name, {"bytes": sum(member.size for member in own.values()), "files": len(own)})
                truth |= own
            else:
                found[name] = _lay_out(name, members)
            _bound(truth if name in params.truths else found[name], params.max_member_mib)
        if "matlab.zip" in found:
            _require(found["matlab.zip"], ["emnist-byclass.mat"], folder / "matlab.zip")
        emnist, brown = found.pop("matlab.zip", {}), found.pop("brown.zip", None)
        strokes = {name: found.pop(name) for name in (*PACKED_STROKES, *STROKES) if name in found}
        iam = _merge(found.values())
        counts = {kind: sum(name.startswith(f"{kind}/") for name in iam) for kind in ("forms", "xml")}
        if found:
            where = folder / "iamdb.zip" if "iamdb.zip" in found else folder
            _require(iam, [f"task/{name}.txt" for name in LISTS], where)
            for kind, count in counts.items():
                if not count:
                    raise TextrecError(f"{where}: no member in {kind}/; get IAM anew from {IAM_HOME}")
        for name, part in strokes.items():
            if not part:
                raise TextrecError(f"{folder / name}: no member is IAM-OnDB's; get it anew from {ONDB_HOME}")
            if name in PACKED_STROKES:
                _require(part, [f"{array}.npy" for array in ARRAYS], folder / name)
        sentences, origin = _corpus(params.corpus, brown, folder / "brown.zip")
        fonts = _fonts(params, stack, raw)
        with (
            atomic(raw / "iamdb.zip") as pages,
            atomic(raw / "matlab.zip") as glyphs,
            atomic(raw / "corpus.txt") as text,
            atomic(raw / "ondb.zip") as lines,
            atomic(raw / "ground_truth.zip") as transcribed,
            atomic(raw / "fonts.zip") as faces,
        ):
            write_zip(pages, iam, description="iamdb.zip")
            write_zip(glyphs, emnist, description="matlab.zip")
            write_zip(lines, _merge(strokes.values()), description="ondb.zip")
            write_zip(transcribed, truth, description="ground_truth.zip")
            write_zip(faces, fonts, description="fonts.zip")
            text.write_text("".join(f"{sentence}\n" for sentence in sentences), encoding="utf-8", newline="\n")
    forms = f"{counts['forms']} forms and {counts['xml']} XML files from {_listing(found)}"
    sizes = (f"{name}, {member.size / 2**20:.1f} MiB" for name, member in emnist.items())
    lines = [
        f"iamdb.zip: {forms if found else NO_FORMS}",
        f"matlab.zip: {next(sizes, NO_GLYPHS)}",
        f"corpus.txt: {len(sentences)} sentences from {origin}",
        f"ondb.zip: {' and '.join(f'{len(part)} members of {name}' for name, part in strokes.items()) or NO_STROKES}",
        f"ground_truth.zip: {f'{len(truth)} files from {_listing(params.truths)}' if truth else NO_TRUTH}",
        f"fonts.zip: {f'{len(fonts)} fonts from {params.fonts}' if fonts else NO_FONTS}",
    ]
    return Brought(lines, archives)


def wanted(params: DataParams, present: Collection[str], *, where: str) -> list[str]:
    """The archives to read of those present: those that `choose_archives` takes, and the ground truth.

    TextrecError, beginning with `where`, names the missing ones, or all where there is nothing to train on.
    """
    if missing := [name for name in params.truths if name not in present]:
        raise TextrecError(
            f"{where}: {_listing(missing)} not found, named by data.ground_truth; put it beside the rest"
        )
    archives = [*choose_archives(present, where=where), *params.truths]
    if not (archives or params.fonts):
        raise TextrecError(
            f"{where}: none of {_listing(LAYOUTS)} is there, and neither data.ground_truth nor data.fonts names any; "
            f"get IAM from {IAM_HOME} and EMNIST from {EMNIST_HOME}, or name your own pages in data.ground_truth"
        )
    return archives


def choose_archives(present: Iterable[str], *, where: str) -> list[str]:
    """The archives to read of those present: IAM's course archive, else its original downloads; EMNIST; Brown; the
    strokes of IAM-OnDB as arrays, else its original downloads.

    TextrecError, beginning with `where`, names the missing ones of original downloads that are there in part, and where
    to get them.
    """
    present = set(present)
    iam = COURSE if present >= COURSE.keys() else ORIGINALS
    strokes = PACKED_STROKES if present >= PACKED_STROKES.keys() else STROKES
    for names, of in ((iam, f"IAM from {IAM_HOME}"), (strokes, f"IAM-OnDB from {ONDB_HOME}")):
        missing = names.keys() - present
        if 0 < len(missing) < len(names):
            raise TextrecError(f"{where}: {_listing(missing)} not found; get {of}")
    return [name for name in (*iam, *EMNIST, *BROWN, *strokes) if name in present]


def _lay_out(archive: str, members: Iterable[Member]) -> dict[str, Member]:
    """Those members that are wanted of an archive, by the names that they get."""
    prefix, pattern = LAYOUTS[archive]
    matches = [(re.fullmatch(rf"(?:.*/)?{pattern}", member.name), member) for member in members]
    return _merge({prefix + match[1]: member} for match, member in matches if match)


def _bound(members: Mapping[str, Member], most_mib: float) -> None:
    """Raise TextrecError where a member is larger than the stages, which read it whole, are to hold."""
    for name, member in members.items():
        if member.size > most_mib * 2**20 and not name.endswith(ALL_OF_A_KIND):
            raise TextrecError(
                f"{member}: {member.size / 2**20:,.1f} MiB, more than data.max_member_mib = {most_mib}; "
                "raise it if you trust the archive and have the memory"
            )


def _gather(archive: Path, members: Iterable[Member]) -> dict[str, Member]:
    """All of a folder or zip file but hidden files, below its name, which a folder in it may have, too."""
    own = corpus_name(archive.name)
    found: dict[str, Member] = {}
    for member in members:
        if any(part.startswith(".") or part == "__MACOSX" for part in member.name.split("/")):
            continue
        path = f"{own}/{member.name.removeprefix(f'{own}/')}"
        if path in found:
            raise TextrecError(f"{member}: {path} is also given by {found[path]}; remove one of them")
        found[path] = member
    if not found:
        raise TextrecError(f"{archive}: no file is in it, which data.ground_truth names; put your pages there")
    return found


def corpus_name(archive: str) -> str:
    """What a name of `data.ground_truth` is called from then on."""
    return archive.removesuffix(".zip")


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
    from textrec.drawn.letters import write_letters

    with tempfile.TemporaryDirectory() as folder:
        write_sample(Path(folder), forms=params.sample.forms, seed=params.sample.seed)
        write_letters(Path(folder) / SAMPLE_TRUTH, seed=params.sample.seed)
        yield Path(folder)


@contextlib.contextmanager
def _local(params: DataParams, raw: Path) -> Iterator[Path]:  # noqa: ARG001
    folder = Path(str(params.path))
    if not folder.is_dir():
        raise TextrecError(f"data.path: no folder {folder}; it must hold the archives, or your own pages")
    yield folder


@contextlib.contextmanager
def _url(params: DataParams, raw: Path) -> Iterator[Path]:
    folder = raw / "archives"
    for name in wanted(params, params.urls, where="data.urls"):
        fetch(Url(params.urls[name]), folder / name, expected=params.sha256[name])
    yield folder
    shutil.rmtree(folder)  # only now: after a failure the next run goes on from what is there


@contextlib.contextmanager
def _gdrive(params: DataParams, raw: Path) -> Iterator[Path]:
    folder = raw / "archives"
    with session() as client:
        found = find(client, params.gdrive, [*LAYOUTS, *params.truths])
        for name in wanted(params, found, where="Google Drive"):
            fetch(found[name], folder / name, expected=found[name].md5, algorithm="md5")
    yield folder
    shutil.rmtree(folder)


SOURCES: dict[str, Callable[[DataParams, Path], contextlib.AbstractContextManager[Path]]] = {
    "sample": _sample,
    "local": _local,
    "url": _url,
    "gdrive": _gdrive,
}


# ---- fonts and the corpus ----


def _fonts(params: DataParams, stack: contextlib.ExitStack, raw: Path) -> dict[str, Member]:
    """The fonts by their bare names."""
    if params.fonts is None:
        return {}
    path = Path(params.fonts)
    if not path.exists():
        raise TextrecError(f"data.fonts: {path} not found; `make fonts` fills data/fonts")
    members = stack.enter_context(open_members(path, scratch=raw, max_unpacked_gib=params.max_unpacked_gib))
    matches = ((FONTS.fullmatch(member.name), member) for member in members)
    if fonts := _merge({match[1]: member} for match, member in matches if match):
        return fonts
    raise TextrecError(f"data.fonts: {path} holds no TTF, OTF, WOFF or WOFF2 file; `make fonts` fills data/fonts")


def _corpus(files: list[str], brown: dict[str, Member] | None, archive: Path) -> tuple[Sequence[str], str]:
    """The sentences or paragraphs, and where they are from."""
    if files:
        return [line for file in files for line in _lines(Path(file))], _listing(files)
    if brown is None:
        return _sample_sentences(), "the sample text"
    return _brown_sentences(brown, archive), archive.name


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise TextrecError(f"data.corpus: {path} not found") from None
    except UnicodeDecodeError as error:
        raise TextrecError(f"data.corpus: {path}: not UTF-8 text ({error}); save it as UTF-8") from None
    return [line for line in lines if line.strip()]


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
