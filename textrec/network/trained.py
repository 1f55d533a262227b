"""A trained model as a file that describes itself, and its ways to read crops."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from pydantic import PositiveInt
from torch import Tensor

from textrec.base.charset import END, SPECIALS, Charset
from textrec.base.params import Params, validate
from textrec.base.runtime import TextrecError
from textrec.network.batches import TextImages, loader
from textrec.network.calibration import Calibration
from textrec.network.decoding import CTC_WEIGHT, ctc_greedy, greedy, joint_search
from textrec.network.devices import by_bfloat16
from textrec.network.language import LanguageModel
from textrec.network.model import Encoded, ModelConfig, ResNetTransformer
from textrec.network.saved import halved, load_saved, save

FORMAT = 6
OF_LINES = (4, 5)  # formats before: what they have of lines is the same; the latter has also what no line needs
Search = Callable[[Encoded], tuple[Tensor, Tensor]]
REMEDY = "remove it and run `dvc checkout` or `dvc repro`, or get it again from where you got it"
HEADS = {"ar": 1, "ctc": 1, "joint": 2}  # that each decoder listens to


class PredictParams(Params):
    """How to read a split."""

    batch_size: PositiveInt


@dataclass(frozen=True)
class Reading:
    """What was read.

    confidence: the share of the text that is right, 1 - CER, as far as the model knows; in [0, 1].
    characters: of each character of `text` the probability that it is right.
    """

    text: str
    confidence: float
    characters: tuple[float, ...]


def _uncalibrated() -> dict[str, Calibration]:
    return {name: Calibration.identity(heads) for name, heads in HEADS.items()}


@dataclass(frozen=True)
class TrainedModel:
    """A network with the charset that it writes, and how far each of its decoders is to be trusted.

    normalize: what became of the truth that it was trained on, as `CharsetParams.normalize`.
    language: what is asked beside both heads in the joint search; None: nothing.
    sample: whether it learned from the embedded sample alone, and reads nobody's hand.
    """

    model: ResNetTransformer
    charset: Charset
    calibration: dict[str, Calibration] = field(default_factory=_uncalibrated)
    normalize: dict[str, str] = field(default_factory=dict)
    language: LanguageModel | None = None
    sample: bool = False

    @classmethod
    def build(cls, config: ModelConfig, charset: Charset, *, line_height: int) -> Self:
        """Make an untrained model, its weights drawn from torch's global random numbers."""
        sizes = {"vocabulary": len(charset), "line_height": line_height, "newline": charset.newline}
        return cls(ResNetTransformer(config, **sizes), charset)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "cpu") -> Self:
        """Read a checkpoint, ready to read images on `device`.

        Raises TextrecError where the file is missing, damaged, or of another format version.
        """
        content = _load(Path(path))
        config = validate(content["model"], ModelConfig, where=f"{path}: model")
        try:
            trained = cls.build(config, Charset(content["characters"]), line_height=content["line_height"])
            if content["format"] == OF_LINES[1]:
                content["weights"].pop("line_position", None)
            trained.model.load_state_dict(content["weights"])
            calibration = {name: Calibration(**values) for name, values in content["calibration"].items()}
        except (RuntimeError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())
            raise TextrecError(f"{path}: its weights do not fit its own parameters ({reason}); train it anew") from None
        trained.model.to(device).eval()
        try:
            language = LanguageModel.unpacked(content["language"].numpy().tobytes()) if "language" in content else None
        except ValueError as error:
            raise TextrecError(f"{path}: its language model is damaged ({error}); {REMEDY}") from None
        told = {name: content[name] for name in ("normalize", "sample")}
        return replace(trained, calibration=calibration, language=language, **told)

    def compile(self) -> None:
        """Have torch compile the encoder, once for all sizes, at the first batches: a minute or so."""
        self.model.encode = torch.compile(self.model.encode, dynamic=True)

    def save(self, path: str | Path) -> None:
        """Write weights, model parameters, charset and table of normalisation, line height, calibration, language model
        and `sample`.

        Matrices are kept as float16, which halves the file and changes next to no reading. The bytes depend on these
        alone.
        """
        content = {
            "format": FORMAT,
            "model": self.model.config.model_dump(),
            "characters": self.charset.characters,
            "normalize": self.normalize,
            "sample": self.sample,
            "line_height": self.model.line_height,
            "calibration": {name: asdict(calibration) for name, calibration in self.calibration.items()},
            "weights": halved(self.model.state_dict()),
        }
        if self.language:
            content["language"] = torch.frombuffer(bytearray(self.language.packed()), dtype=torch.uint8)
        save(path, content)

    @torch.inference_mode()
    def encode(self, images: Tensor, sizes: Tensor) -> Encoded:
        """Encode a padded batch, from whatever device, for `decoders`.

        A processor that multiplies bfloat16 itself does so here and in the joint search: twice as fast.
        """
        with by_bfloat16(self.model.device):
            encoded = self.model.encode(images.to(self.model.device), sizes.to(self.model.device))
        return Encoded(*(part.float() if part.is_floating_point() else part for part in encoded))

    def decoders(self, ctc_weight: float = CTC_WEIGHT) -> dict[str, Callable[[Encoded], list[Reading]]]:
        """The ways to read what `encode` gives, the best last.

        "ar": the Transformer decoder, greedy; and where the model has a CTC head "ctc": that alone, greedy; and
        "joint": `decoding.joint_search` over both with `ctc_weight`.
        """

        def reader(name: str, search: Search) -> Callable[[Encoded], list[Reading]]:
            return lambda encoded: self._readings(name, *search(encoded))

        return {name: reader(name, search) for name, search in self._searches(ctc_weight).items()}

    def calibrated(self, images: TextImages, *, batch_size: int) -> Self:
        """The same model, its confidences fitted to how right its readings of `images` are; not of its training.

        And to what it reads in them mirrored, from right to left, from top to bottom or both, which nobody can read.
        The joint search is fitted at its usual weight, and sees both heads: another weight changes little.
        """
        texts: dict[str, list[tuple[np.ndarray, str, str]]] = {}
        unreadable: dict[str, list[np.ndarray]] = {}
        for batch in loader(images, batch_size, shuffle=False):
            truths = [images.split.text[index] for index in batch.indices.tolist()]
            encoded = self.encode(batch.images, batch.sizes)
            mirrored = self.encode(_mirrored(batch.images, batch.sizes), batch.sizes)
            for name, search in self._searches(CTC_WEIGHT).items():
                rows = zip(self._texts(*search(encoded)), truths, strict=True)
                texts.setdefault(name, []).extend((scores, truth, text) for (text, scores), truth in rows)
                unreadable.setdefault(name, []).extend(scores for _, scores in self._texts(*search(mirrored)))
        return replace(self, calibration={name: Calibration.fit(texts[name], unreadable[name]) for name in texts})

    def _searches(self, ctc_weight: float) -> dict[str, Search]:
        """By name: from what `encode` gives to tokens int64 (B, T) and log-probabilities (B, T) or (B, T, heads)."""
        searches: dict[str, Search] = {"ar": lambda encoded: greedy(self.model, encoded)}
        if self.model.has_ctc:
            searches["ctc"] = torch.inference_mode()(
                lambda encoded: ctc_greedy(self.model.ctc(encoded), encoded.step_count)
            )
            searches["joint"] = by_bfloat16(self.model.device)(
                lambda encoded: joint_search(self.model, encoded, ctc_weight=ctc_weight, language=self.language)
            )
        return searches

    def _readings(self, name: str, tokens: Tensor, scores: Tensor) -> list[Reading]:
        calibration, readings = self.calibration[name], []
        for text, log_probs in self._texts(tokens, scores):
            characters = calibration.of_characters(log_probs)
            confidence = calibration.of_text(float(characters.mean()))
            readings.append(Reading(text, confidence, tuple(characters[: len(text)].tolist())))
        return readings

    def _texts(self, tokens: Tensor, scores: Tensor) -> Iterable[tuple[str, np.ndarray]]:
        """Each row's text, and the heads' log-probabilities of its characters and its end, (len(text) + 1, heads)."""
        scores = scores if scores.ndim == 3 else scores[..., None]
        for row, log_probs in zip(tokens.cpu().numpy(), scores.cpu().double().numpy(), strict=True):
            written = np.flatnonzero(row >= len(SPECIALS))  # an untrained decoder writes other specials
            end = log_probs[row == END] if END in row else np.zeros((1, log_probs.shape[1]))
            yield self.charset.decode(row), np.concatenate([log_probs[written], end])


def _mirrored(images: Tensor, sizes: Tensor) -> Tensor:
    """A batch, uint8 (B, 1, H, W) and int64 (B, 2), whose images are mirrored in turn: across, down, in both ways."""
    mirrored = torch.zeros_like(images)
    for number, (image, (height, width)) in enumerate(zip(images, sizes.tolist(), strict=True)):
        axes = ([2], [1], [1, 2])[number % 3]
        mirrored[number, :, :height, :width] = image[:, :height, :width].flip(axes)
    return mirrored


def _load(path: Path) -> dict[str, Any]:
    try:
        content = load_saved(path, remedy=REMEDY)
    except FileNotFoundError:
        found = "name a model that you have, or run `dvc repro` or `dvc pull` in a clone of textrec to get this one"
        raise TextrecError(f"{path}: not found; {found}") from None
    if not isinstance(content, dict) or "format" not in content:
        raise TextrecError(f"{path}: not a model (it does not say its format); {REMEDY}")
    if content["format"] != FORMAT and (content["format"] not in OF_LINES or "\n" in content.get("characters", "")):
        raise TextrecError(f"{path}: checkpoint format {content['format']}, this version reads {FORMAT}; train it anew")
    if (
        missing := {"model", "characters", "line_height", "calibration", "normalize", "sample", "weights"}
        - content.keys()
    ):
        raise TextrecError(f"{path}: not a model (it lacks {', '.join(sorted(missing))}); {REMEDY}")
    return content
