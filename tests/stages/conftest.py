import shutil
from pathlib import Path

import pytest
from projects import Project


@pytest.fixture
def project(reproduced: Path, tmp_path: Path) -> Project:
    """A copy of the reproduced project."""
    return Project(Path(shutil.copytree(reproduced, tmp_path / "project", symlinks=True)))
