"""`make fonts`, with an npm of our own that packs what it finds in a folder."""

import io
import tarfile

import pytest
from repository import ROOT

from textrec import get_fonts
from textrec.base.runtime import TextrecError

NPM = """#!/bin/sh
# npm pack PACKAGE --silent --ignore-scripts --pack-destination FOLDER
name=$(basename "${2%@*}")
test -e "$PACKAGES/$name.tgz" || { echo "npm error 404 $2" >&2; exit 1; }
cp "$PACKAGES/$name.tgz" "$6/"
"""


def pack(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for name in members:
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(name)
            archive.addfile(info, io.BytesIO(name.encode()))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two fonts in the list, both of which npm has."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/npm").write_text(NPM)
    (tmp_path / "bin/npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("PACKAGES", str(tmp_path))
    rows = [f"Family {name}\t@scope/{name}@1.0.0\tOFL-1.1\tCopyright\n" for name in ("one", "two-three")]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/fonts.tsv").write_text("family\tpackage\tlicence\tcopyright\n" + "".join(rows))
    pack("one.tgz", "LICENSE", "files/one-latin-400-normal.woff2", "files/one-latin-700-normal.woff2")
    pack("two-three.tgz", "LICENSE", "files/two-three-latin-300-normal.woff2", "files/two-three-greek-400-normal.woff2")
    return tmp_path


def test_fonts_come_with_their_licences_in_the_weight_nearest_to_the_regular_one(project, capsys):
    get_fonts.main()
    files = {path.name: path.read_text() for path in (project / "data/fonts").iterdir()}
    assert files == {
        "one.woff2": "files/one-latin-400-normal.woff2",
        "one.LICENSE.txt": "LICENSE",
        "two-three.woff2": "files/two-three-latin-300-normal.woff2",
        "two-three.LICENSE.txt": "LICENSE",
    }
    assert capsys.readouterr().out == "data/fonts: 2 fonts; draw in them with -S data.fonts=data/fonts\n"


def test_what_is_there_is_not_fetched_again_and_what_failed_is(project, capsys):
    (project / "two-three.tgz").rename("away.tgz")
    with pytest.raises(TextrecError, match="1 of 2 fonts are missing in data/fonts; run `make fonts` again"):
        get_fonts.main()
    assert capsys.readouterr().err == "@scope/two-three@1.0.0: npm error 404 @scope/two-three@1.0.0\n"
    (project / "away.tgz").rename("two-three.tgz")
    (project / "one.tgz").unlink()
    get_fonts.main()
    assert len(list((project / "data/fonts").iterdir())) == 4


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (["LICENSE"], "not a package of a font .*no upright Latin font"),
        (["files/one-latin-400-normal.woff2"], "not a package of a font .*LICENSE"),
        (None, "not a package of a font"),
    ],
)
def test_other_packages_are_told_of(project, capsys, members, message):
    if members is None:
        (project / "one.tgz").write_bytes(b"no archive")
    else:
        pack("one.tgz", *members)
    with pytest.raises(TextrecError, match="1 of 2 fonts"):
        get_fonts.main()
    error = capsys.readouterr().err
    assert error.startswith("@scope/one@1.0.0: not a package of a font")
    assert error.count("\n") == 1
    assert message.rpartition("*")[2] in error


@pytest.mark.usefixtures("project")
def test_without_npm_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TextrecError, match=r"npm not found; install Node\.js, or put fonts of your own into a folder"):
        get_fonts.main()


def test_the_list_names_some_eighty_families_of_open_licences():
    lines = (ROOT / "data/fonts.tsv").read_text(encoding="utf-8").splitlines()
    rows = [get_fonts.Row(*line.split("\t")) for line in lines[1:]]
    assert 70 <= len(rows) == len({row.name for row in rows})
    assert {row.licence for row in rows} == {"OFL-1.1", "Apache-2.0"}
    assert all(row.copyright.startswith("Copyright") for row in rows)
