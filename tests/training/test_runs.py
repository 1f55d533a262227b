"""Runs of the stage `train` by real processes: broken off, continued, shared by two devices, or refused."""

import os
import re
import shutil
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as lightning
from defaults import RECIPE
from holding import hold, wait_for
from training_folder import ORIGIN, Folder

from textrec.base.params import validate
from textrec.base.runtime import TextrecError
from textrec.datasets.samples import read_split
from textrec.network.batches import TextImages, loader
from textrec.reading.recognizer import Recognizer
from textrec.training.lightning_module import Training
from textrec.training.recipe import Origin, TrainParams
from textrec.training.runs import KEPT

# All that is random while training, and all that has a memory of its own.
STEP = "textrec.training.lightning_module:Training.training_step"
BATCHES = 4  # of an epoch


@pytest.fixture(autouse=True)
def _quiet() -> None:
    warnings.filterwarnings("ignore", module="pytorch_lightning|torch.*|wandb.*")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A run that nothing disturbed."""
    folder = Folder(tmp_path_factory.mktemp("whole"))
    folder.train()
    return folder


def killed(path: Path, target: str, calls: int) -> Folder:
    """A run that was killed at a call of a function."""
    folder = Folder(path)
    process = folder.start(hold(target, calls, path / "reached"))
    wait_for(path / "reached", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    folder.take_outputs()
    return folder


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A run that was killed in its third epoch, after a validation."""
    return killed(tmp_path_factory.mktemp("broken"), STEP, 2 * BATCHES + 2)


def same(one: Folder, other: Folder) -> None:
    assert one.model() == other.model()
    assert one.measures() == other.measures()
    for name in ("train/loss", "val/cer", "val/loss"):
        assert one.curve(name) == other.curve(name)
    sheets = [sorted(p.name for p in f.live("readings").iterdir()) for f in (one, other)]
    assert sheets[0] == sheets[1] == ["epoch-0001.png", "epoch-0003.png"]
    assert [len(folder.runs()) for folder in (one, other)] == [1, 1]


@pytest.mark.parametrize(
    ("target", "calls"),
    [
        (STEP, 2 * BATCHES + 2),
        ("textrec.training.checkpoints:atomic", 4),  # the last checkpoint but one is not written yet
        ("textrec.network.trained:TrainedModel.calibrated", 1),  # all epochs are done
        ("textrec.training.runs:finish", 1),  # the results are written
    ],
)
def test_a_killed_run_goes_on_to_the_same_result(whole: Folder, tmp_path: Path, target: str, calls: int) -> None:
    folder = killed(tmp_path, target, calls)
    assert not (tmp_path / "models/model.ckpt").exists()
    assert "going on from checkpoints/" in folder.finish(folder.start())
    same(folder, whole)


def cut_short(path: Path) -> None:
    os.truncate(path, 2 * path.stat().st_size // 3)


def change_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damaged", "damage", "told"),
    [
        ("last.ckpt", cut_short, r"last.ckpt: not a readable checkpoint \(.*\); going on without it$"),
        ("last.ckpt", change_a_byte, r"last.ckpt: not a readable checkpoint \(bad checksum of .*\)"),
        ("epoch=*.ckpt", cut_short, r"step=8.ckpt: not a readable .*; going on without it and last.ckpt$"),
        ("epoch=*.ckpt", Path.unlink, r"step=8.ckpt: not found; going on without it and last.ckpt$"),
    ],
)
def test_a_damaged_checkpoint_is_told_and_the_run_goes_on_from_the_one_before(
    whole: Folder, broken: Folder, tmp_path: Path, damaged: str, damage: Callable[[Path], None], told: str
) -> None:
    folder = Folder(tmp_path)
    shutil.copytree(broken.path / "checkpoints", tmp_path / "checkpoints")
    (path,) = tmp_path.glob(f"checkpoints/*/{damaged}")
    damage(path)
    output = folder.finish(folder.start())
    assert re.search(told, output, re.MULTILINE), output
    assert re.search(r"^going on from checkpoints/\w+/previous.ckpt$", output, re.MULTILINE)
    same(folder, whole)


def test_a_run_without_a_readable_checkpoint_begins_anew(whole: Folder, broken: Folder, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    shutil.copytree(broken.path / "checkpoints", tmp_path / "checkpoints")
    for path in tmp_path.glob("checkpoints/*/*.ckpt"):
        cut_short(path)
    output = folder.finish(folder.start())
    assert output.count("going on without it") == 2
    assert "going on from" not in output
    same(folder, whole)


LIMIT = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
"""


def test_a_checkpoint_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    folder, temporary = Folder(tmp_path), tmp_path / "temporary"
    temporary.mkdir()
    process = folder.start(LIMIT, TMPDIR=str(temporary))
    output = folder.finish(process, code=1)
    assert re.search(r"^error: \S+/checkpoints/\w+/last.ckpt: File too large$", output, re.MULTILINE), output
    assert not list(temporary.iterdir())
    assert folder.runs() == []


def test_what_is_left_of_a_run_continues_it_for_more_epochs(whole: Folder, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    shutil.copytree(whole.path / "checkpoints", tmp_path / "checkpoints")
    (finished,) = folder.runs()
    assert finished.endswith("/finished.ckpt")
    folder.set(ckpt_path=finished)
    with pytest.raises(
        TextrecError, match=r"finished.ckpt: trained for 4 epochs already; raise train.trainer.max_epochs"
    ):
        folder.train()
    folder.set(ckpt_path=finished, model={"tf_dim": 32})
    with pytest.raises(TextrecError, match=r"finished.ckpt: of a model of other parameters"):
        folder.train()
    folder.set(ckpt_path=finished, trainer={"max_epochs": 6})
    output = folder.train()
    assert f"going on from {finished}" in output
    assert "epoch 5: val CER" in output
    assert "epoch 3: val CER" not in output
    assert len(folder.runs()) == 2


def test_a_finished_run_is_run_anew_and_so_are_other_parameters(whole: Folder, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for seed, runs in ((1, 1), (1, 1), (2, 2)):
        folder.set(seed=seed)
        assert "going on" not in folder.train()
        assert (folder.model() == whole.model()) is (seed == 1)
        assert len(folder.runs()) == runs
    for seed in range(3, 9):
        (tmp_path / f"checkpoints/{seed}").mkdir()
    folder.train()
    assert len(list(tmp_path.glob("checkpoints/*"))) == KEPT


def test_a_few_batches_are_learned_by_heart(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.set(
        batch_size=4,
        overfit_batches=1,
        recombine=1.0,
        token_noise=0.0,
        trainer={"max_epochs": 120, "check_val_every_n_epoch": 60},
        model={"tf_dropout": 0.0, "resnet": {"channels": [8, 16], "kernels": [3, 3], "strides": [2, [4, 2]]}},
    )
    folder.train()
    assert folder.measures()["val/cer"] == 0
    assert {path.name for path in folder.live("readings").iterdir()} == {
        "epoch-0059.png",
        "epoch-0119.png",
    }
    assert folder.runs() == []


def test_three_lines_and_no_val_are_trained_on_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder(tmp_path, ["train"], 3)
    folder.train()
    Recognizer.load(folder.path / "models/model.ckpt")
    assert folder.measures()["samples"] == 3
    few, alone = capsys.readouterr().err.splitlines()[:2]
    assert few.startswith("warning: data/processed/iam_lines.h5: 3 training samples are few to learn from")
    assert alone.startswith("warning: data/processed/iam_lines.h5: no val: the best weights are chosen")


def test_two_devices_share_the_work(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    measures = []
    for trainer in ({}, {"devices": 2, "strategy": "ddp"}):
        folder.set(token_noise=0.0, recombine=0.0, lr=0.003, model={"tf_dropout": 0.0}, trainer=trainer)
        output = folder.finish(folder.start()) if trainer else folder.train()
        assert output.count("epoch 3: val CER") == 1
        measures.append(folder.measures())
    one, two = measures
    assert two["val/loss"] == pytest.approx(one["val/loss"], rel=0.1)
    assert two["val/cer"] == pytest.approx(one["val/cer"], abs=0.1)
    # Each sample was counted once: one process finds the same.
    recognizer = Recognizer.load(folder.path / "models/model.ckpt")
    split = read_split(folder.path / "data/processed/iam_lines.h5", "val")
    images = TextImages(split, recognizer.charset, recognizer.model.config)
    params = validate(RECIPE, TrainParams, where="train")
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    (found,) = trainer.validate(Training(recognizer, params), loader(images, 8, shuffle=False), verbose=False)
    assert found["val/cer"] == pytest.approx(two["val/cer"], abs=1e-4)
    assert found["val/wer"] == pytest.approx(two["val/wer"], abs=1e-4)


def test_wandb_gets_curves_readings_and_gradients_offline(tmp_path: Path) -> None:
    folder = Folder(
        tmp_path, wandb="offline", watch_gradients=True, device_stats=True, trainer={"log_every_n_steps": 2}
    )
    folder.finish(folder.start())
    (log,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = log.read_bytes()
    assert all(word in content for word in (b"val/cer", b"readings", b"gradients/", b"DeviceStatsMonitor"))
    assert folder.live("wandb.txt").read_text() in log.name
    assert list(folder.live("plots/metrics").rglob("*cpu_percent.tsv"))


def test_wandb_without_a_key_is_one_line_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(
        TextrecError, match=r"train.wandb is online, but wandb has no key; run `wandb login`, or set WANDB_"
    ):
        Folder(tmp_path, wandb="online").train()
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 1e30}, r"epoch 0, step \d: the loss is nan for s-\d+, .*; lower train.lr"),
        (
            {"trainer": {"accelerator": "gpu"}},
            "params.yaml: train.trainer: No supported gpu backend found!; accelerator: auto takes",
        ),
        (
            {"ckpt_path": "data/processed/iam_lines.h5"},
            r"iam_lines.h5: not a readable checkpoint \(.*; train.ckpt_path takes",
        ),
        ({"init": "models/lines.ckpt"}, "models/lines.ckpt: not found"),
        ({"batch_size": 3, "trainer": {"devices": 2}}, "train.batch_size is 3; 2 devices need 2 samples each"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TextrecError, match=message):
        Folder(tmp_path, **changes).train()


def test_ctrl_c_is_answered(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    process = folder.start(hold(STEP, BATCHES + 2, tmp_path / "reached"))
    wait_for(tmp_path / "reached", process)
    os.killpg(process.pid, signal.SIGINT)
    assert "error: interrupted" in folder.finish(process, code=130)


@pytest.mark.parametrize(
    ("changes", "is_sample"),
    [
        ({}, True),
        ({"source": "local"}, False),
        ({"ground_truth": ["letters.zip"]}, False),
        ({"fonts": "data/fonts"}, False),
    ],
)
def test_what_learned_from_the_embedded_sample_alone_is_known(changes: dict[str, Any], is_sample: bool) -> None:
    assert validate(ORIGIN | changes | {"path": None}, Origin, where="data").is_sample == is_sample
