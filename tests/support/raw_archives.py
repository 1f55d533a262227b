"""Small archives in the layouts of IAM's downloads."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

LISTS = ("trainset", "validationset1", "validationset2", "testset")
FORMS = ("a01-000u", "f04-011", "r06-143")

# In the order in which the stage writes them.
IAM: dict[str, bytes] = {
    **{f"forms/{form}.jpg": f"image of {form}".encode() * 100 for form in FORMS},
    **{f"task/{name}.txt": f"{name}\n".encode() for name in sorted(LISTS)},
    **{f"xml/{form}.xml": f"<form id='{form}'/>".encode() for form in FORMS},
}


def write_zip(path: Path, members: dict[str, bytes], *, compression=zipfile.ZIP_STORED, **attributes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.writestr(info, data)
    return path


def write_tgz(path: Path, members: dict[str, bytes], **attributes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wb") as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_originals(folder: Path, *, folders: bool = False) -> None:
    """IAM's original downloads, the pages as PNG, at the top level or in folders."""
    for archive, letters in {"formsA-D": "abcd", "formsE-H": "efgh", "formsI-Z": "ijklmnopqrstuvwxyz"}.items():
        prefix = f"{archive}/" if folders else ""
        pages = {f"{prefix}{form}.png": f"page {form}".encode() for form in FORMS if form[0] in letters}
        write_tgz(folder / f"{archive}.tgz", pages)
    xml = {name: data for name, data in IAM.items() if name.startswith("xml/")}
    write_tgz(folder / "xml.tgz", {name if folders else name.removeprefix("xml/"): data for name, data in xml.items()})
    task = {name.removeprefix("task/"): data for name, data in IAM.items() if name.startswith("task/")}
    name = "largeWriterIndependentTextLineRecognitionTask.zip"
    write_zip(folder / name, task | {"LargeWriterIndependentTextLineRecognitionTask.txt": b"readme"})
