"""A trained model as a file that describes itself, and as something that reads images."""

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from pydantic import PositiveInt

from textrec.charset import SPECIALS, Charset
from textrec.decoding import BEAM, CTC_WEIGHT, ctc_greedy, joint_search
from textrec.model import Encoded, ModelConfig, ResNetTransformer
from textrec.params import Params, validate
from textrec.runtime import TextrecError, atomic

FORMAT = 1


class PredictParams(Params):
    """How to read a split."""

    batch_size: PositiveInt


@dataclass(frozen=True)
class Reading:
    """What was read: `confidence` in [0, 1] is the geometric mean of the probabilities of its tokens, `<END>` included.

    Their product is for "ar" the decoder's probability of the text, for "ctc" that of the best path, for "joint" both
    heads' probabilities of the text to the powers of their weights: comparable within a decoder, not between them.
    """

    text: str
    confidence: float


@dataclass(frozen=True)
class Recognizer:
    """A network with the charset that it writes."""

    model: ResNetTransformer
    charset: Charset

    @classmethod
    def build(cls, config: ModelConfig, charset: Charset, *, line_height: int) -> Self:
        """Make an untrained recogniser, its weights drawn from torch's global random numbers."""
        return cls(ResNetTransformer(config, vocabulary=len(charset), line_height=line_height), charset)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "cpu") -> Self:
        """Read a checkpoint, ready to read images on `device`.

        Raises TextrecError where the file is missing, damaged, or of another format version.
        """
        content = _load(Path(path))
        config = validate(content["model"], ModelConfig, where=f"{path}: model")
        recognizer = cls.build(config, Charset(content["characters"]), line_height=content["line_height"])
        try:
            recognizer.model.load_state_dict(content["weights"])
        except RuntimeError as error:
            raise TextrecError(f"{path}: its weights do not fit its own parameters ({error}); train it anew") from None
        recognizer.model.to(device).eval()
        return recognizer

    def save(self, path: str | Path) -> None:
        """Write weights, model parameters, charset and line height; the bytes depend on these alone."""
        content = {
            "format": FORMAT,
            "model": self.model.config.model_dump(),
            "characters": self.charset.characters,
            "line_height": self.model.line_height,
            "weights": {name: tensor.cpu() for name, tensor in self.model.state_dict().items()},
        }
        buffer = io.BytesIO()  # given a path, torch would write the file's name into the file
        torch.save(content, buffer)
        with atomic(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def read(self, image: np.ndarray, *, beam: int = BEAM, ctc_weight: float = CTC_WEIGHT) -> Reading:
        """Read one crop: uint8 (height, width), white ink on black, `model.line_height` pixels a line of text.

        With both heads at once, see `decoding.joint_search`; a model without CTC head decodes greedily.
        """
        padded = torch.from_numpy(np.ascontiguousarray(image))[None, None]
        return self.read_batch(padded, torch.tensor([image.shape]), beam=beam, ctc_weight=ctc_weight)[0]

    def read_batch(
        self, images: torch.Tensor, sizes: torch.Tensor, *, beam: int = BEAM, ctc_weight: float = CTC_WEIGHT
    ) -> list[Reading]:
        """Read a padded batch like `read`: uint8 (B, 1, H, W) and int64 (B, 2), as in `dataset.Batch`."""
        *_, best = self.decoders(beam=beam, ctc_weight=ctc_weight).values()
        return best(self.encode(images, sizes))

    @torch.inference_mode()
    def encode(self, images: torch.Tensor, sizes: torch.Tensor) -> Encoded:
        """Encode a padded batch, from whatever device, for `decoders`."""
        device = self.model.row_position.device
        return self.model.encode(images.to(device), sizes.to(device))

    def decoders(self, *, beam: int, ctc_weight: float) -> dict[str, Callable[[Encoded], list[Reading]]]:
        """The ways to read what `encode` gives, the best last.

        "ar": the Transformer decoder, greedy; and where the model has a CTC head "ctc": that alone, greedy; and
        "joint": `decoding.joint_search` over both with `beam` and `ctc_weight`.
        """

        def ar(encoded: Encoded) -> list[Reading]:
            tokens, scores = self.model.generate(encoded)
            return self._readings(tokens, scores.sum(1))

        @torch.inference_mode()
        def ctc(encoded: Encoded) -> list[Reading]:
            return self._readings(*ctc_greedy(self.model.ctc(encoded), encoded.step_count))

        def joint(encoded: Encoded) -> list[Reading]:
            return self._readings(*joint_search(self.model, encoded, beam=beam, ctc_weight=ctc_weight))

        return {"ar": ar} if self.model.ctc_output is None else {"ar": ar, "ctc": ctc, "joint": joint}

    def _readings(self, tokens: torch.Tensor, scores: torch.Tensor) -> list[Reading]:
        """tokens: int64 (B, T), the specials left out of the text; scores: log-probability (B,) of each row."""
        confidence = (scores / ((tokens >= len(SPECIALS)).sum(1) + 1)).exp()
        readings = zip(tokens.tolist(), confidence.tolist(), strict=True)
        return [Reading(self.charset.decode(row), certainty) for row, certainty in readings]


def _load(path: Path) -> dict[str, Any]:
    damaged = f"{path}: not a readable checkpoint; remove it and run `dvc checkout` or `dvc repro`"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise TextrecError(f"{path}: not found; run `dvc repro` to train it or `dvc pull` to get it") from None
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError) as error:
        raise TextrecError(f"{damaged} ({str(error).partition('.')[0]})") from None
    if not isinstance(content, dict) or "format" not in content:
        raise TextrecError(f"{damaged} (it does not say its format)")
    if content["format"] != FORMAT:
        raise TextrecError(f"{path}: checkpoint format {content['format']}, this version reads {FORMAT}; train it anew")
    if missing := {"model", "characters", "line_height", "weights"} - content.keys():
        raise TextrecError(f"{damaged} (it lacks {', '.join(sorted(missing))})")
    return content
