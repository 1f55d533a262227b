"""An exported recogniser: the file that `export` writes, and its network run by onnxruntime."""

import json
import math
import zipfile
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from textrec.base.charset import Charset
from textrec.base.params import validate
from textrec.base.runtime import TextrecError, usable_cores
from textrec.base.zips import DAMAGE
from textrec.network.language import LanguageModel
from textrec.network.layers import Cache
from textrec.network.model import Encoded, ModelConfig, fading, line_count, line_of_positions, own_line, places

FORMAT = 5
DESCRIPTION = "textrec.json"  # all but what follows, as in a checkpoint
LANGUAGE = "language"  # as `LanguageModel.packed` gives it; empty: none
ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
# Steps that a cache of text is made longer by when it is full: a graph takes tensors that lie in one piece, and what it
# is given it reads, so there should be few empty slots and few copies.
GROWTH = 16
REMEDY = "export the model anew, or get the file again"


class OnnxNetwork:
    """What `model.ResNetTransformer` is to decoding, on the CPU; threads may share it.

    Raises TextrecError where onnxruntime is not installed; its own errors where a graph is damaged.
    """

    device = torch.device("cpu")

    def __init__(
        self, config: ModelConfig, *, line_height: int, newline: int, encoder: bytes, decoder: bytes, threads: int
    ) -> None:
        self.config = config
        self.line_height = line_height
        self.newline = newline
        self._encoder, self._decoder = _Graph(encoder, threads), _Graph(decoder, threads)
        self.has_ctc = "ctc" in self._encoder.outputs

    @classmethod
    def load(cls, path: str | Path, *, threads: int | None = None) -> tuple[Self, dict[str, Any]]:
        """Read an export: the network, on `threads` cores (default: all that are usable), and what the file says.

        The latter are `characters`, `line_height`, `calibration` and `model` as in a checkpoint, and `language`, the
        language model or None. Raises TextrecError
        where the file is missing, damaged, or of another format version, and where onnxruntime is not installed.
        """
        members = _read(Path(path))
        content = _describe(Path(path), members[DESCRIPTION])
        config = validate(content["model"], ModelConfig, where=f"{path}: model")
        threads = threads or usable_cores()
        try:
            content["language"] = LanguageModel.unpacked(members[LANGUAGE]) if members[LANGUAGE] else None
            sizes = {"line_height": content["line_height"], "newline": Charset(content["characters"]).newline}
            return cls(config, **sizes, encoder=members[ENCODER], decoder=members[DECODER], threads=threads), content
        except TextrecError:
            raise
        except Exception as error:  # onnxruntime derives its errors from no class of its own
            reason = " ".join(str(error).split())
            raise TextrecError(f"{path}: onnxruntime cannot run it ({reason}); {REMEDY}") from None

    def encode(self, images: Tensor, sizes: Tensor) -> Encoded:
        """Encode a padded batch like `ResNetTransformer.encode`, of uint8 images.

        Of what it gives, `memory` holds the keys and values of each decoder layer in turn, float (B, 2 * layers, S, dim
        of a head), and `steps` what `ctc` returns; `early` and, without a CTC head, `steps` are empty.
        """
        found = self._encoder({"images": images, "sizes": sizes})
        empty = found["image"].new_empty((len(images), 0))
        columns = self.config.resnet.output_size(*images.shape[2:])[1]
        lines = line_of_positions(self.config, self.line_height, found["mask"].shape[1] // columns, columns)
        return Encoded(
            memory=found["image"],
            mask=found["mask"],
            steps=found.get("ctc", empty),
            step_count=found["step_count"],
            early=empty,
            limit=found["limit"],
            lines=lines.expand(len(images), -1),
            line_count=line_count(sizes, self.line_height),
        )

    def ctc(self, encoded: Encoded) -> Tensor:
        """Log-probabilities float (B, S, vocabulary) of the CTC head."""
        return encoded.steps

    def decode(self, encoded: Encoded, tokens: Tensor) -> Tensor:
        """See `ResNetTransformer.decode`; log-probabilities, as the graph gives them."""
        length = tokens.shape[1]
        place, mask = places(tokens, self.newline), encoded.attention_mask()
        past = mask.new_full((1, 1, length, length), -math.inf).triu(1)
        if self.newline >= 0:
            mask, past = mask + fading(encoded.lines, place[..., 0]), _added(own_line(place[..., 1], 0))
        return self._run(tokens, place[..., 1], self.caches(encoded, 0), mask, past)["log_probs"]

    def caches(self, encoded: Encoded, slots: int) -> list[Cache]:  # noqa: ARG002
        """For `next_token`: one a layer; they grow as they are used, whatever `slots` is."""
        keys, values = encoded.memory[:, ::2], encoded.memory[:, 1::2]
        batch, layers, _, dim = keys.shape
        empty = keys.new_empty((batch, self.config.tf_heads, 0, dim))
        image = ((part[:, index : index + 1].contiguous() for part in (keys, values)) for index in range(layers))
        return [Cache(empty, empty, *parts) for parts in image]

    def next_token(self, tokens: Tensor, place: Tensor, step: int, caches: list[Cache], mask: Tensor) -> Tensor:
        """See `ResNetTransformer.next_token`; where `caches` have no room left they are replaced by larger ones."""
        room = caches[0].text_keys.shape[2]
        if step >= room:
            room = step + GROWTH
            caches[:] = [_with_room(cache, room) for cache in caches]
        past = mask.new_zeros((1, 1, 1, room + 1))
        past[..., step:room] = -math.inf  # slots that are empty
        if self.newline >= 0:
            before, itself = _added(own_line(place[:, 1:], step)).tensor_split([step], dim=-1)
            past = torch.cat([before, past[..., step:room].expand(len(tokens), -1, -1, -1), itself], dim=-1)
        found = self._run(tokens[:, None], place[:, 1:], caches, mask, past)
        for index, cache in enumerate(caches):
            cache.text_keys[:, :, step : step + 1] = found[f"new_text_keys_{index}"]
            cache.text_values[:, :, step : step + 1] = found[f"new_text_values_{index}"]
        return found["log_probs"][:, 0]

    def _run(
        self, tokens: Tensor, column: Tensor, caches: list[Cache], mask: Tensor, past: Tensor
    ) -> dict[str, Tensor]:
        inputs = {"tokens": tokens, "columns": column, "mask": mask, "past": past}
        for index, cache in enumerate(caches):
            inputs |= {f"{name}_{index}": part for name, part in cache._asdict().items()}
        return self._decoder(inputs)


def _added(seen: Tensor) -> Tensor:
    """Bool to what is to be added to scores, float of the same shape: 0 where True, else minus infinity."""
    return torch.zeros(seen.shape).masked_fill(~seen, -math.inf)


def _with_room(cache: Cache, slots: int) -> Cache:
    """The cache with so many slots for text; empty ones are zero, for a masked NaN would still be one."""
    text = (cache.text_keys, cache.text_values)
    keys, values = (functional.pad(part, (0, 0, 0, slots - part.shape[2])) for part in text)
    return Cache(keys, values, cache.image_keys, cache.image_values)


class _Graph:
    """A session of onnxruntime from tensors to tensors by name; none is copied that lies in one piece."""

    def __init__(self, graph: bytes, threads: int) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise TextrecError("onnxruntime is not installed; run `pip install 'textrec[onnx]'`") from None
        self._value = onnxruntime.OrtValue
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors
        # Threads that spin while they wait take the cores from each other, and from torch: half of the speed on two.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self._session.get_outputs()]

    def __call__(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        values = {name: self._value.from_dlpack(tensor.contiguous()) for name, tensor in inputs.items()}
        found = self._session.run_with_ort_values(self.outputs, values)
        return {name: torch.from_dlpack(value) for name, value in zip(self.outputs, found, strict=True)}


def _read(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in (DESCRIPTION, LANGUAGE, ENCODER, DECODER)}
    except FileNotFoundError:
        raise TextrecError(f"{path}: not found; run `textrec export` to make it") from None
    except (*DAMAGE, KeyError, OSError) as error:
        raise TextrecError(f"{path}: not a readable export ({error}); {REMEDY}") from None


def _describe(path: Path, text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text)
        version = content["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise TextrecError(f"{path}: {DESCRIPTION} in it is damaged ({error}); {REMEDY}") from None
    if version != FORMAT:
        raise TextrecError(f"{path}: export format {version}, this version reads {FORMAT}; {REMEDY}")
    if missing := {"model", "characters", "line_height", "calibration"} - content.keys():
        raise TextrecError(f"{path}: {DESCRIPTION} in it lacks {', '.join(sorted(missing))}; {REMEDY}")
    return content
