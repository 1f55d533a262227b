"""Layers of the recogniser's network: recurrent ones along rows of features, those of the Transformer decoder."""

import contextlib
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

# On a CPU torch's fused attention takes two to four times as long to differentiate as matrix products do; those need
# memory for their scores, and get up to this many (64 MiB in float32): any batch of lines, few paragraphs.
PLAIN_ATTENTION = 1 << 24


class RowLSTM(nn.Module):
    """A bidirectional LSTM layer whose backward half begins at each row's own end, so that padding changes nothing."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.forward_lstm = nn.LSTM(width, hidden, batch_first=True)
        self.backward_lstm = nn.LSTM(width, hidden, batch_first=True)

    def forward(self, rows: Tensor, mirror: Tensor) -> Tensor:
        """From float (N, columns, width) to (N, columns, 2 * hidden); `mirror` int64 (N, columns, 1) reverses each."""
        ahead = self.forward_lstm(rows)[0]
        back = self.backward_lstm(rows.gather(1, mirror.expand_as(rows)))[0]
        return torch.cat([ahead, back.gather(1, mirror.expand_as(back))], dim=-1)


class Cache(NamedTuple):
    """Keys and values of one layer: of the text so far, float (B, heads, slots, dim of a head), and of the image,
    float (B, 1, S, dim of a head), which all heads share.
    """

    text_keys: Tensor
    text_values: Tensor
    image_keys: Tensor
    image_values: Tensor


class DecoderLayer(nn.Module):
    """A pre-norm Transformer decoder layer: text looks back at text, then at the image.

    The heads share one set of keys and values of the image (multi-query attention, Shazeer 2019): reading those is what
    each step of decoding waits for.
    """

    def __init__(self, dim: int, fc_dim: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_dropout = dropout
        self.text_norm = nn.LayerNorm(dim)
        self.text_query_key_value = nn.Linear(dim, 3 * dim)
        self.text_output = nn.Linear(dim, dim)
        self.image_norm = nn.LayerNorm(dim)
        self.image_query = nn.Linear(dim, dim)
        self.image_key_value = nn.Linear(dim, 2 * dim // heads)
        self.image_output = nn.Linear(dim, dim)
        self.feed_forward = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, fc_dim), nn.ReLU(), nn.Linear(fc_dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, text: Tensor, memory: Tensor, mask: Tensor, past: Tensor | None) -> Tensor:
        """All positions at once.

        text: float (B, T, D); memory: float (B, S, D); mask: see `read`; past: which positions each sees, bool
        (B, 1, T, T), None: itself and those before it. Returns (B, T, D).
        """
        query, key, value = self.query_key_value(text)
        seen = self._attend(query, key, value, past, causal=past is None)
        key, value = self.image_key_value(memory)[:, None].chunk(2, dim=-1)
        return self.read(text, seen, key, value, mask)

    def cache(self, memory: Tensor, slots: int) -> Cache:
        """Room for `slots` tokens of text, and the image's keys and values computed once."""
        key, value = self.image_key_value(memory)[:, None].chunk(2, dim=-1)
        empty = key.new_empty((memory.shape[0], self.heads, slots, key.shape[3]))
        return Cache(empty, torch.empty_like(empty), key.contiguous(), value.contiguous())

    def step(self, text: Tensor, cache: Cache, step: int, mask: Tensor, past: Tensor | None) -> Tensor:
        """The one position `step`, float (B, 1, D), given the cache of those before, which it extends.

        past: which of them it sees, bool (B, 1, 1, step + 1), None: all.
        """
        query, key, value = self.query_key_value(text)
        cache.text_keys[:, :, step : step + 1] = key
        cache.text_values[:, :, step : step + 1] = value
        seen = self._attend(query, cache.text_keys[:, :, : step + 1], cache.text_values[:, :, : step + 1], past)
        return self.read(text, seen, cache.image_keys, cache.image_values, mask)

    def query_key_value(self, text: Tensor) -> tuple[Tensor, ...]:
        """Of text, float (B, T, D): each float (B, heads, T, dim of a head)."""
        return self._split(self.text_query_key_value(self.text_norm(text)), 3)

    def read(self, text: Tensor, past: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """All but attention to text: `past`, float (B, heads, T, dim of a head), is what that gave.

        key, value: of the image, see `Cache`; mask: what to add to its scores, float (B, 1, 1, S), or for each head of
        each token (B, 1, T * heads, S).
        """
        batch, length, dim = text.shape
        text = text + self.dropout(self.text_output(past.transpose(1, 2).flatten(2)))
        query = self.image_query(self.image_norm(text)).view(batch, 1, length * self.heads, -1)
        seen = self._attend(query, key, value, mask).view(batch, length, dim)
        text = text + self.dropout(self.image_output(seen))
        return text + self.dropout(self.feed_forward(text))

    def _split(self, joined: Tensor, parts: int) -> tuple[Tensor, ...]:
        """(B, T, parts * D) to `parts` times (B, heads, T, D / heads)."""
        batch, length = joined.shape[:2]
        return joined.view(batch, length, parts, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *, causal: bool = False
    ) -> Tensor:
        if torch.compiler.is_exporting() and mask is not None:  # ONNX would scale and turn all keys at each step
            return (query / math.sqrt(query.shape[3]) @ key.mT + mask).softmax(-1) @ value
        dropout = self.attention_dropout if self.training else 0.0
        scores = query.shape[:-1].numel() * key.shape[-2]
        plain = self.training and query.device.type == "cpu" and scores <= PLAIN_ATTENTION
        with sdpa_kernel(SDPBackend.MATH) if plain else contextlib.nullcontext():
            return functional.scaled_dot_product_attention(query, key, value, mask, dropout, causal)


def sinusoids(length: int, dim: int) -> Tensor:
    """Positions as float (length, dim): sines and cosines of falling frequency (Vaswani et al. 2017, section 3.5)."""
    frequency = torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
    angle = torch.arange(length)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
