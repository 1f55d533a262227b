import gzip
import os
import stat
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from raw_archives import write_tgz
from raw_archives import write_zip as make_zip
from repository import ROOT

from textrec.archives.repack import open_members, write_zip
from textrec.base.runtime import TextrecError

DATA = os.urandom(5000)
MEMBERS = {"a.txt": b"first", "folder/b.txt": DATA, "./folder/ c.txt": b""}


def read(path: Path, limit: float = 1.0) -> dict[str, bytes]:
    with open_members(path, scratch=path.parent / "scratch", max_unpacked_gib=limit) as members:
        return {member.name: b"".join(member.read()) for member in members}


@pytest.fixture(params=["zip", "tgz"])
def write(request, tmp_path):
    """Write an archive of either kind from its members."""

    def write(members: dict[str, bytes], **attributes) -> Path:
        function = make_zip if request.param == "zip" else write_tgz
        return function(tmp_path / f"a.{request.param}", members, **attributes)

    return write


def test_members_are_read_and_nothing_is_left_behind(write):
    path = write(MEMBERS)
    assert read(path) == MEMBERS
    assert list(path.parent.glob("scratch/*")) == []


@pytest.mark.parametrize("name", ["../a", "x/../../a", "..", "/etc/a", "C:/a", "c:a", "x\\..\\a", "\\\\host\\a"])
def test_names_that_lead_out_are_refused(write, name):
    with pytest.raises(TextrecError, match=r"^.*/a\.(zip|tgz): '.*' leads out of the archive; fetch"):
        read(write({"good": b"", name: b"bad"}))


def test_zip_name_with_a_hidden_end_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"x?.jpg": b""})
    path.write_bytes(path.read_bytes().replace(b"?", b"\0"))
    with pytest.raises(TextrecError, match=r"a.zip: 'x\\x00.jpg' leads out of the archive"):
        read(path)


def test_names_with_dots_that_stay_inside_are_good(write):
    members = {"..a": b"1", "a../b": b"2", "x..y/z": b"3"}
    assert read(write(members)) == members


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    with pytest.raises(TextrecError, match=r"a.tgz: forms/x.png is a link or device; fetch"):
        read(write_tgz(tmp_path / "a.tgz", {"forms/x.png": b""}, type=kind, linkname="/etc/passwd"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, kind):
    with pytest.raises(TextrecError, match=r"a.zip: forms/x.png is a link or device; fetch"):
        read(make_zip(tmp_path / "a.zip", {"forms/x.png": b"/etc/passwd"}, external_attr=(kind | 0o777) << 16))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x", "1")
        archive.writestr("x", "2")
    with pytest.raises(TextrecError, match=r"a.zip: x stands twice"):
        read(tmp_path / "a.zip")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_truncated_archives_are_refused(write, share):
    path = write({"a": DATA, "b": DATA})
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(TextrecError, match=r"a\.(zip|tgz): truncated or not an archive \(.*\); fetch the archive anew"):
        read(path)


def test_tar_truncated_before_it_was_compressed_is_refused(tmp_path):
    whole = gzip.decompress(write_tgz(tmp_path / "a.tgz", {"a": DATA, "b": DATA}).read_bytes())
    (tmp_path / "a.tgz").write_bytes(gzip.compress(whole[:8000]))
    with pytest.raises(TextrecError, match=r"a.tgz: truncated or not an archive \(unexpected end of data\)"):
        read(tmp_path / "a.tgz")


def test_other_files_are_refused(write):
    path = write({})
    path.write_text("<html>Please log in</html>")
    with pytest.raises(TextrecError, match=r"a\.(zip|tgz): truncated or not an archive"):
        read(path)


def test_damage_is_one_line_wherever_it_is(write):
    """Each byte of the archive in turn: it is read as it was, or refused in one line."""
    members = {"a": b"some text" * 3, "b": b""}
    path = write(members)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read(path)
        except TextrecError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_encrypted_zip_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"x": b"secret"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(TextrecError, match=r"a.zip: x is encrypted; give an archive without a password"):
        read(path)


def test_archives_that_unpack_to_too_much_are_refused(tmp_path):
    message = r"unpacks to more than data.max_unpacked_gib = 0.001; raise it if you trust the archive"
    bomb = {"x": bytes(3 << 20), "y": b""}
    path = make_zip(tmp_path / "a.zip", bomb, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10_000
    assert read(path) == bomb
    with pytest.raises(TextrecError, match=message):
        read(path, limit=0.001)
    path = write_tgz(tmp_path / "a.tgz", bomb)
    assert path.stat().st_size < 10_000
    with pytest.raises(TextrecError, match=message):
        read(path, limit=0.001)


def test_many_members_are_counted_together(tmp_path):
    path = make_zip(tmp_path / "a.zip", {str(number): bytes(1 << 18) for number in range(8)})
    with pytest.raises(TextrecError, match=r"unpacks to more than"):
        read(path, limit=0.001)


def test_zip_that_lies_about_a_size_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"x": bytes(3 << 20)}, compression=zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, data.index(b"PK\1\2") + 24, 10)
    path.write_bytes(data)
    with pytest.raises(TextrecError, match=r"a.zip: truncated or not an archive \(Bad CRC-32"):
        read(path)


def test_sparse_tar_is_counted_as_it_is_read(tmp_path):
    """A tar of 1.5 kB that declares a file of 1 TiB."""
    header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:482] = b"00000000000\0" * 8
    header[386:398] = b"20000000000\0"  # one piece of no bytes, at 2 GiB
    header[483:495] = b"20000000000\0"  # of 2 GiB in all
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    path = write_tgz(tmp_path / "a.tgz", {})
    path.write_bytes(gzip.compress(bytes(header) + bytes(1024)))
    with pytest.raises(TextrecError, match=r"unpacks to more than"):
        read(path, limit=0.01)


def test_memory_is_flat(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"x": bytes(30 << 20)}, compression=zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    with open_members(path, scratch=tmp_path, max_unpacked_gib=1.0) as members:
        write_zip(tmp_path / "b.zip", {"x": members[0]}, description="x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_full_disk_while_unpacking_names_the_folder(tmp_path):
    path = write_tgz(tmp_path / "a.tgz", {"x": os.urandom(500_000)})
    code = (
        "import resource, sys; from pathlib import Path; from textrec.archives.repack import open_members;"
        "from textrec.base.runtime import run;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "run(open_members(Path(sys.argv[1]), scratch=Path('scratch'), max_unpacked_gib=1.0).__enter__)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "error: scratch: File too large\n")
    assert list((tmp_path / "scratch").iterdir()) == []
