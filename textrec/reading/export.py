"""A trained recogniser as ONNX graphs in one file that describes itself; `onnx_network` runs it."""

import contextlib
import copy
import io
import json
import logging
import math
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from textrec.base.runtime import TextrecError, atomic
from textrec.base.zips import zip_info
from textrec.network.layers import Cache, RowLSTM
from textrec.network.model import ResNetTransformer
from textrec.reading.onnx_network import DECODER, DESCRIPTION, ENCODER, FORMAT, LANGUAGE
from textrec.reading.recognizer import Recognizer

OPSET = 20  # of ONNX 1.15; onnxruntime 1.17 and later run it

# Axes by input; all others are as the parameters say.
ENCODER_AXES = {"images": {0: "batch", 2: "height", 3: "width"}, "sizes": {0: "batch"}}
DECODER_AXES = {
    "tokens": {0: "batch", 1: "length"},
    "columns": {0: "batch", 1: "length"},
    "mask": {0: "batch", 3: "positions"},
    "past": {2: "length", 3: "slots_and_length"},
}
CACHE_AXES = [*2 * [{0: "batch", 2: "slots"}], *2 * [{0: "batch", 2: "positions"}]]  # of each field of a `Cache`


def export(recognizer: Recognizer, path: str | Path) -> None:
    """Write a zip file of `encoder.onnx`, `decoder.onnx`, `language` and `textrec.json`.

    The bytes depend on the recogniser alone. `language` is as `LanguageModel.packed` gives it, or empty.

    encoder: images uint8 (B, 1, H, W), sizes int64 (B, 2), where H is no less than any of the heights in `sizes`
        -> image float (B, 2 * layers, S, dim of a head), the keys and values of each decoder layer in turn; mask,
        step_count and limit, see `model.Encoded`; where there is a CTC head also ctc, its log-probabilities, float
        (B, S, vocabulary).
    decoder: what comes after each of T tokens. tokens int64 (B, T); columns int64 (B, T), their places in their lines,
        see `model.places`; mask float (B, 1, 1, S), see `Encoded.attention_mask`, of a model of paragraphs
        (B, 1, T, S), see `model.fading`; past float (1, 1, T, slots + T), of a model of paragraphs
        (B, 1, T, slots + T), minus infinity where a token must not look, as at slots that are empty, at tokens behind
        it and at other lines; of layer i text_keys_i and text_values_i, float (B, heads, slots, dim of a head),
        image_keys_i and image_values_i, float (B, 1, S, dim of a head)
        -> log_probs float (B, T, vocabulary); of layer i new_text_keys_i and new_text_values_i, float (B, heads, T, dim
        of a head).

    Raises TextrecError where onnx or onnxscript are not installed.
    """
    model = copy.deepcopy(recognizer.model).cpu().float().eval().requires_grad_(False)
    description = {
        "format": FORMAT,
        "model": model.config.model_dump(),
        "characters": recognizer.charset.characters,
        "line_height": model.line_height,
        "calibration": {name: asdict(calibration) for name, calibration in recognizer.calibration.items()},
    }
    members = {
        DESCRIPTION: json.dumps(description, indent=2, ensure_ascii=False).encode(),
        LANGUAGE: recognizer.language.packed() if recognizer.language else b"",
        ENCODER: _encoder(model),
        DECODER: _decoder(model),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zip_info(name), content)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


class _Encoder(nn.Module):
    def __init__(self, model: ResNetTransformer) -> None:
        super().__init__()
        self.model = copy.deepcopy(model)
        self.model.recurrent = nn.ModuleList(_OnnxLSTM(cast(RowLSTM, layer)) for layer in model.recurrent)

    def forward(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, ...]:
        encoded = self.model.encode(images, sizes)
        caches = self.model.caches(encoded, 0)
        image = torch.cat([part for cache in caches for part in (cache.image_keys, cache.image_values)], dim=1)
        heads = [self.model.ctc(encoded)] if self.model.has_ctc else []
        return image, encoded.mask, encoded.step_count, encoded.limit, *heads


class _OnnxLSTM(nn.Module):
    """A `layers.RowLSTM` as one operator of ONNX, which itself reverses each row from its own end."""

    def __init__(self, layer: RowLSTM) -> None:
        super().__init__()
        self.size = layer.forward_lstm.hidden_size
        halves = [dict(half.named_parameters()) for half in (layer.forward_lstm, layer.backward_lstm)]
        self.weights = nn.ParameterList(
            torch.stack([torch.cat([self._reordered(half[name]) for name in names]) for half in halves])
            for names in (["weight_ih_l0"], ["weight_hh_l0"], ["bias_ih_l0", "bias_hh_l0"])
        )

    def forward(self, rows: Tensor, mirror: Tensor) -> Tensor:
        lengths = (mirror[:, 0, 0] + 1).int()  # a row's last column is the first of it mirrored
        both = torch.onnx.ops.symbolic(
            "LSTM",
            (rows.transpose(0, 1), *self.weights, lengths),
            {"direction": "bidirectional", "hidden_size": self.size},
            dtype=rows.dtype,
            shape=(rows.shape[1], 2, rows.shape[0], self.size),
        )
        return both.permute(2, 0, 1, 3).flatten(2)

    @staticmethod
    def _reordered(weight: Tensor) -> Tensor:
        """Gates of an LSTM from torch's order (input, forget, cell, output) to ONNX's (input, output, forget, cell)."""
        entered, forget, cell, output = weight.chunk(4)
        return torch.cat([entered, output, forget, cell])


class _Decoder(nn.Module):
    def __init__(self, model: ResNetTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, tokens: Tensor, columns: Tensor, mask: Tensor, past: Tensor, caches: list[Tensor]
    ) -> tuple[Tensor, ...]:
        of_layers = [Cache(*parts) for parts in zip(*4 * [iter(caches)], strict=True)]
        hidden = self.model.embed(tokens, columns)
        if self.model.newline >= 0:
            mask = mask.repeat_interleave(self.model.config.tf_heads, dim=2)
        new = []
        for layer, cache in zip(self.model.decoder_layers(), of_layers, strict=True):
            query, key, value = layer.query_key_value(hidden)
            seen = self._attend(query, cache, key, value, past)
            hidden = layer.read(hidden, seen, cache.image_keys, cache.image_values, mask)
            new += [key, value]
        return self.model.predict(hidden), *new

    @staticmethod
    def _attend(query: Tensor, cache: Cache, key: Tensor, value: Tensor, past: Tensor) -> Tensor:
        """Attention to the text before and at this step; to put them together would copy all of it at each step."""
        query = query / math.sqrt(query.shape[3])
        scores = torch.cat([query @ cache.text_keys.mT, query @ key.mT], dim=-1)
        shares = (scores + past).softmax(-1)
        before = cache.text_keys.shape[2]
        return shares[..., :before] @ cache.text_values + shares[..., before:] @ value


def _encoder(model: ResNetTransformer) -> bytes:
    height, width = model.config.max_height, model.config.max_width
    images = torch.zeros(2, 1, height, width, dtype=torch.uint8)
    inputs = {"images": images, "sizes": torch.tensor([[height, width], [1, 1]])}
    outputs = ["image", "mask", "step_count", "limit", *(["ctc"] if model.has_ctc else [])]
    return _graph(_Encoder(model), inputs, ENCODER_AXES, list(inputs), outputs)


def _decoder(model: ResNetTransformer) -> bytes:
    batch, length, slots, positions = 2, 3, 6, 5  # any, as long as they differ
    config, layers, lines = model.config, range(model.config.tf_layers), model.newline >= 0
    dim = config.tf_dim // config.tf_heads
    shapes = [*2 * [(batch, config.tf_heads, slots, dim)], *2 * [(batch, 1, positions, dim)]]
    inputs = {
        "tokens": torch.zeros(batch, length, dtype=torch.int64),
        "columns": torch.zeros(batch, length, dtype=torch.int64),
        "mask": torch.zeros(batch, 1, length if lines else 1, positions),
        "past": torch.zeros(batch if lines else 1, 1, length, slots + length),
        "caches": [torch.zeros(shape) for _ in layers for shape in shapes],
    }
    axes: dict[str, Any] = DECODER_AXES | {"caches": CACHE_AXES * config.tf_layers}
    if lines:
        axes |= {"mask": axes["mask"] | {2: "length"}, "past": axes["past"] | {0: "batch"}}
    names = [*DECODER_AXES, *(f"{name}_{index}" for index in layers for name in Cache._fields)]
    outputs = ["log_probs", *(f"new_{name}_{index}" for index in layers for name in ("text_keys", "text_values"))]
    return _graph(_Decoder(model), inputs, axes, names, outputs)


def _graph(
    module: nn.Module, inputs: Mapping[str, Any], axes: Mapping[str, Any], names: list[str], outputs: list[str]
) -> bytes:
    try:
        with _quiet():
            program = torch.onnx.export(
                module.eval(),
                kwargs=dict(inputs),
                input_names=names,
                output_names=outputs,
                dynamic_shapes=dict(axes),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except ImportError as error:
        raise TextrecError(f"{error.name} is not installed; run `pip install 'textrec[onnx]'`") from None
    proto = cast(Any, program).model_proto
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        part.ClearField("metadata_props")  # the lines of code that each came from, with their paths
    return proto.SerializeToString(deterministic=True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what torch says of its own deprecations, of packages that are not needed, and of each step."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
