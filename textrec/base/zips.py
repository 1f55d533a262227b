"""Zip files that are the same wherever and whenever they are written."""

import stat
import zipfile


def zip_info(name: str) -> zipfile.ZipInfo:
    """A member that is the same wherever and whenever it is written."""
    info = zipfile.ZipInfo(name)  # dated 1980-01-01
    info.create_system = 3  # Unix
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    return info
