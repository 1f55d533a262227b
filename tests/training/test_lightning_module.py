import secrets
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch
from defaults import RECIPE
from networks import CHARSET, config, sample, split_of
from pytorch_lightning import seed_everything
from torchmetrics.text import CharErrorRate

from textrec.base.charset import END, PAD, SPECIALS, START
from textrec.base.params import validate
from textrec.base.runtime import TextrecError
from textrec.network.batches import Batch, TextImages, loader
from textrec.reading.recognizer import Recognizer
from textrec.training.augmentation import Augment
from textrec.training.lightning_module import Training
from textrec.training.recipe import TrainParams
from textrec.training.runs import fit

RESNET = {"channels": [8, 16], "kernels": [3, 3], "strides": [2, [4, 2]]}


def recipe(**changes: Any) -> TrainParams:
    return validate(RECIPE | changes, TrainParams, where="train")


@pytest.fixture(autouse=True)
def _quiet() -> None:
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", module="pytorch_lightning|torch.*")


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, TextImages]:
    """Texts that the image shows: a character is a block of its own brightness."""
    monkeypatch.chdir(tmp_path)
    samples = []
    for index in range(64):
        text = "".join(np.random.default_rng(index).choice(list("abcd"), 4))
        item = sample(f"s-{index}", text, width=48)
        for place, character in enumerate(text):
            item.image[:, place * 12 : place * 12 + 12] = 60 * (1 + "abcd".index(character))
        samples.append(item)
    split = split_of(tmp_path / "a.h5", samples)
    return {name: TextImages(split, CHARSET, config()) for name in ("train", "val")}


def train(images: dict[str, TextImages], params: TrainParams, **changes: Any) -> tuple[Recognizer, dict[str, float]]:
    seed_everything(params.seed, verbose=False)
    recognizer = Recognizer.build(config(**changes), CHARSET, line_height=28)
    folder = Path("checkpoints", secrets.token_hex(4))
    measures = fit(recognizer, params, **images, folder=folder)
    assert measures
    return recognizer, measures


def test_it_learns_to_read_and_keeps_the_best_weights(images: dict[str, TextImages]) -> None:
    params = recipe(trainer=RECIPE["trainer"] | {"max_epochs": 40, "check_val_every_n_epoch": 20})
    recognizer, measures = train(images, params, resnet=RESNET)
    assert measures["val/cer"] < 0.1
    recognizer.model.eval()
    split = images["val"].split
    cer = CharErrorRate()
    readings = recognizer.read_crops(list(map(split.image, range(len(split)))))
    cer.update([reading.text for reading in readings], list(split.text))
    assert float(cer.compute()) == pytest.approx(measures["val/cer"])


def test_the_last_steps_see_images_as_they_are(images: dict[str, TextImages], monkeypatch: pytest.MonkeyPatch) -> None:
    changed: list[int] = []
    change = Augment.forward
    monkeypatch.setattr(Augment, "forward", lambda *given: [changed.append(1), change(*given)][1])
    trainer = RECIPE["trainer"] | {"max_epochs": 2, "check_val_every_n_epoch": 2}
    for plain, steps in ((0.0, 16), (0.25, 12), (1.0, 0)):
        changed.clear()
        train(images, recipe(plain=plain, trainer=trainer))
        assert len(changed) == steps


def test_what_is_measured_and_kept_are_the_averaged_weights(images: dict[str, TextImages]) -> None:
    trainer = RECIPE["trainer"] | {"max_epochs": 3, "check_val_every_n_epoch": 3}
    last, averaged = (train(images, recipe(ema_decay=decay, trainer=trainer)) for decay in (0.0, 0.9))
    for name, value in averaged[0].model.named_buffers():
        if "running" in name:  # statistics of batch normalisation follow the weights
            assert not torch.equal(value, last[0].model.get_buffer(name))
        else:
            assert torch.equal(value, last[0].model.get_buffer(name))
    assert not torch.equal(averaged[0].model.output.weight, last[0].model.output.weight)
    assert torch.allclose(averaged[0].model.output.weight, last[0].model.output.weight, atol=0.2)
    averaged[0].model.eval()
    again = lightning.Trainer(**RECIPE["trainer"], logger=False).validate(
        Training(averaged[0], recipe()), loader(images["val"], 8, shuffle=False), verbose=False
    )[0]
    assert again == pytest.approx({name: value for name, value in averaged[1].items() if name != "epoch"})
    assert again["val/loss"] != pytest.approx(last[1]["val/loss"])


def test_it_trains_in_half_precision(images: dict[str, TextImages]) -> None:
    trainer = RECIPE["trainer"] | {"max_epochs": 3, "check_val_every_n_epoch": 3}
    full, half = (
        train(images, recipe(ema_decay=0.9, trainer=trainer | {"precision": precision}))
        for precision in ("32-true", "bf16-mixed")
    )
    assert half[1]["val/loss"] == pytest.approx(full[1]["val/loss"], rel=0.1)
    assert half[1]["val/loss"] != full[1]["val/loss"]
    assert {weight.dtype for weight in half[0].model.parameters()} == {torch.float32}


def test_a_run_repeats(images: dict[str, TextImages], tmp_path: Path) -> None:
    for name in ("one", "two"):
        train(images, recipe(token_noise=0.3), tf_dropout=0.1)[0].save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    train(images, recipe(token_noise=0.3, seed=2), tf_dropout=0.1)[0].save(tmp_path / "three")
    assert (tmp_path / "one").read_bytes() != (tmp_path / "three").read_bytes()


def training(params: TrainParams, **changes: Any) -> Training:
    torch.manual_seed(0)
    return Training(Recognizer.build(config(**changes), CHARSET, line_height=28), params).eval()


def loss(made: Training, batch: Batch) -> float:
    return made.training_loss(made.model.encode(batch.images, batch.sizes), batch, batch.tokens).item()


def test_padding_counts_only_where_it_is_not_ignored(images: dict[str, TextImages]) -> None:
    batch = images["train"][[0, 1]]
    longer = batch._replace(tokens=torch.nn.functional.pad(batch.tokens, (0, 5), value=PAD))
    for ignored in (True, False):
        made = training(recipe(ignore_padding=ignored))
        losses = [loss(made, item) for item in (batch, longer)]
        assert (losses[0] == pytest.approx(losses[1], abs=1e-5)) is ignored


def test_the_loss_of_ctc_is_weighted(images: dict[str, TextImages]) -> None:
    losses = [loss(training(recipe(), ctc_weight=weight), images["train"][[0, 1]]) for weight in (1.0, 2.0, 3.0)]
    assert losses[2] - losses[1] == pytest.approx(losses[1] - losses[0], rel=1e-4)
    assert losses[1] > losses[0] + 1


def test_targets_are_smoothed_in_training_alone(images: dict[str, TextImages]) -> None:
    made = {share: training(recipe(label_smoothing=share)) for share in (0.0, 0.3)}
    losses = {
        share: [loss(made[share].train(mode), images["train"][[0, 1]]) for mode in (False, True)] for share in made
    }
    assert losses[0.0][0] == losses[0.3][0]
    assert losses[0.0][1] != pytest.approx(losses[0.3][1], abs=1e-4)


def test_token_noise_changes_characters_alone(images: dict[str, TextImages]) -> None:
    tokens = images["train"][list(range(16))].tokens
    noisy = training(recipe(token_noise=0.5)).with_noise(tokens)
    specials = tokens < len(SPECIALS)
    assert {START, END} <= set(tokens[specials].tolist())
    assert torch.equal(noisy[specials], tokens[specials])
    assert (noisy[~specials] >= len(SPECIALS)).all()
    assert 0.2 < (noisy != tokens)[~specials].float().mean() < 0.6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trainer": {"max_epoch": 3}}, r"train.trainer.max_epoch is not a parameter; did you mean 'max_epochs'"),
        ({"trainer": {"precision": "7-true"}}, "params.yaml: train.trainer: .*7-true"),
        ({"checkpoint": {"mode": "best"}}, "params.yaml: train.checkpoint: .*best"),
        ({"checkpoint": {"topk": 1}}, "params.yaml: train.checkpoint.topk is not a parameter"),
        ({"trainer": {"max_epochs": 0}}, "without a validation"),
    ],
)
def test_what_lightning_does_not_take_is_one_line(
    images: dict[str, TextImages], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(TextrecError, match=message):
        train(images, recipe(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "../mnist"}, "train.data is '../mnist': string should match pattern"),
        ({"lr": "1e-3"}, r"train.lr is '1e-3': .*write 0.001"),
        ({"batch_size": 0}, "train.batch_size is 0"),
        ({"learning_rate": 0.1}, "train.learning_rate is not a parameter"),
        ({"warmup": 1.5}, "train.warmup is 1.5"),
        ({"ema_decay": 1.0}, "train.ema_decay is 1.0"),
        ({"wandb": "on"}, "train.wandb is 'on': .*'offline'"),
        ({"watch_gradients": True}, "it is wandb that watches; set wandb to offline or online"),
        ({"checkpoint": {"save_weights_only": True}}, "checkpoint.save_weights_only must be false"),
    ],
)
def test_impossible_parameters_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TextrecError, match=message):
        recipe(**changes)


def test_too_large_a_batch_is_one_line(images: dict[str, TextImages], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Training, "training_loss", lambda *_: torch.empty(1 << 50))
    with pytest.raises(
        TextrecError, match=r"not enough memory for a batch of 8 images of 28 x 64 pixels; lower train.b"
    ):
        train(images, recipe())
