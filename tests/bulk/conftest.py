from collections.abc import Iterator

import pytest
import torch
from bulk_jobs import Here, Models
from networks import line_recognizer


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    path = tmp_path_factory.mktemp("model") / "lines.ckpt"
    line_recognizer(max_width=1200).save(path)
    return Models.of(path)


@pytest.fixture(scope="module")
def here(models: Models) -> Iterator[Here]:
    threads = torch.get_num_threads()
    yield Here(models)
    torch.set_num_threads(threads)
