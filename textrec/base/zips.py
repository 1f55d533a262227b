"""Zip files: what is raised where one is damaged, and members that are the same wherever and whenever written."""

import stat
import zipfile
import zlib

# What reading raises where an archive is damaged; of the last two, a part encrypted or packed as no known writer does.
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)


def zip_info(name: str) -> zipfile.ZipInfo:
    """A member that is the same wherever and whenever it is written."""
    info = zipfile.ZipInfo(name)  # dated 1980-01-01
    info.create_system = 3  # Unix
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    return info
