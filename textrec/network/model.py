"""The recogniser's network: a ResNet reads the image, a Transformer decoder writes the text, see `decoding`."""

import math
from collections.abc import Iterable
from typing import Annotated, NamedTuple, Self, cast

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional

from textrec.base.params import Params
from textrec.network.layers import Cache, DecoderLayer, RowLSTM, sinusoids
from textrec.network.resnet import ResNet, ResNetConfig, valid_positions

# A token of a text of several lines sees what is within so many heights of the middle of its line, and beyond that less
# and less: attention scores fall by so much with each further height.
REACH, FADE = 0.3, 20.0


class ModelConfig(Params):
    """Shape of the network; saved with its weights."""

    resnet: ResNetConfig
    row_step: PositiveInt  # rows of ResNet features from one window of a line's height to the next, in images of many
    lstm_dim: PositiveInt  # of each direction of the recurrent layers that run along each row
    lstm_layers: NonNegativeInt
    encoder_dropout: Annotated[float, Field(ge=0, lt=1)]  # on the input of each recurrent layer, and on their output
    tf_dim: PositiveInt  # width of the decoder and of what it sees of the image
    tf_fc_dim: PositiveInt  # hidden width of the decoder's feed-forward layers
    tf_heads: PositiveInt
    tf_layers: PositiveInt
    tf_dropout: Annotated[float, Field(ge=0, lt=1)]
    learned_positions: bool  # or sinusoids that stay as they are
    ctc_weight: NonNegativeFloat  # of the auxiliary CTC loss on the encoder; 0: no such head
    ctc_shortcut: NonNegativeFloat  # of another, in front of the recurrent layers, which training alone uses; 0: none
    max_length: Annotated[int, Field(ge=3)]  # tokens of the longest text, <START> and <END> included
    max_height: PositiveInt  # pixels of the highest image
    max_width: PositiveInt  # pixels of the widest image

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.tf_dim % (2 * self.tf_heads):
            raise ValueError(f"tf_dim {self.tf_dim} must be a multiple of 2 * tf_heads, {2 * self.tf_heads}")
        return self


class Encoded(NamedTuple):
    """What the decoder sees of a batch of images.

    memory: float (B, S, tf_dim), the grid of features row by row with positions added; mask: bool (B, S), True within
    the image; steps: float (B, S, tf_dim), the same features without positions and those within the image first, and
    step_count: int64 (B,), how many those are: what CTC reads; early: float (B, S, width), likewise, in front of the
    recurrent layers; limit: int64 (B,), the most tokens that an image of this size can hold, `<END>` included; lines:
    float (B, S), how far below the middle of the first line each position of `memory` is, in heights of a line;
    line_count: int64 (B,), how many of these the image is high.
    """

    memory: Tensor
    mask: Tensor
    steps: Tensor
    step_count: Tensor
    early: Tensor
    limit: Tensor
    lines: Tensor
    line_count: Tensor

    def attention_mask(self) -> Tensor:
        """What to add to the attention scores of all tokens: float (B, 1, 1, S), 0 within the image, minus infinity
        outside.
        """
        outside = torch.zeros_like(self.mask, dtype=self.memory.dtype).masked_fill(~self.mask, -math.inf)
        return outside[:, None, None, :]


class ResNetTransformer(nn.Module):
    """Image in, text out, as tokens of a charset of `vocabulary` entries; `line_height` is pixels a line of text.

    `newline` is the token that ends a line of text, -1 where there is none. Each line is written as if it were the only
    one: its tokens have positions in it, look back at those of it, see `own_line`, and look at the image near it, see
    `fading`. So what a model of lines has learned holds for each line of a paragraph.

    A window as high as a line slides down the features of the ResNet, one position a line for an image of one line;
    recurrent layers run along each row of positions. What they give is read twice: by CTC, row after row as one long
    sequence (Coquenet et al. 2020), and by the Transformer decoder, which looks at all of it.
    """

    def __init__(self, config: ModelConfig, *, vocabulary: int, line_height: int, newline: int = -1) -> None:
        super().__init__()
        self.config = config
        self.line_height = line_height
        self.newline = newline
        dim = config.tf_dim
        rows, columns = config.resnet.output_size(config.max_height, config.max_width)
        self.window = config.resnet.output_size(line_height, 1)[0]  # rows of features of one line
        self.resnet = ResNet(config.resnet)
        width = 2 * config.lstm_dim if config.lstm_layers else dim
        self.project = nn.Conv2d(config.resnet.channels[-1], width, (self.window, 1), (config.row_step, 1))
        self.recurrent = nn.ModuleList(RowLSTM(width, config.lstm_dim) for _ in range(config.lstm_layers))
        self.encoder_dropout = nn.Dropout1d(config.encoder_dropout)  # of whole channels of a row
        self.encoder_norm = nn.LayerNorm(width)
        self.encoder_output = nn.Linear(width, dim)
        # Learned, and begun as sinusoids: from the first step on, neighbours look alike and far positions do not.
        self.row_position = self._positions(int(self._row_count(torch.tensor(rows))), dim)
        self.column_position = self._positions(columns, dim)
        self.token_position = self._positions(config.max_length, dim)
        self.embedding = nn.Embedding(vocabulary, dim)
        self.dropout = nn.Dropout(config.tf_dropout)
        sizes = {"heads": config.tf_heads, "dropout": config.tf_dropout}
        self.layers = nn.ModuleList(DecoderLayer(dim, config.tf_fc_dim, **sizes) for _ in range(config.tf_layers))
        self.norm = nn.LayerNorm(dim)
        self.output = nn.Linear(dim, vocabulary)
        self.ctc_output = nn.Linear(dim, vocabulary) if config.ctc_weight else None
        self.ctc_shortcut = nn.Linear(width, vocabulary) if config.ctc_shortcut else None
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)

    @property
    def device(self) -> torch.device:
        """Where the weights are, and images are wanted."""
        return self.row_position.device

    @property
    def has_ctc(self) -> bool:
        """Whether `ctc` can be asked."""
        return self.ctc_output is not None

    def encode(self, images: Tensor, sizes: Tensor) -> Encoded:
        """Encode a padded batch.

        images: uint8 or float (B, 1, H, W) in [0, 255], white ink on black, 0 where padded; H and W at most the
        config's maxima. sizes: int64 (B, 2), each image's own height and width in pixels.
        """
        dtype = self.project.weight.dtype
        features, grid = self.resnet((images.to(dtype) / 255).contiguous(memory_format=torch.channels_last), sizes)
        grid = torch.stack([self._row_count(grid[:, 0]), grid[:, 1]], dim=1)
        # Lengthened to what the windows cover: an image may be lower than a line, or end between two steps.
        lacking = torch.sym_max(self.window - features.shape[2], 0) + self.config.row_step - 1
        features = self.project(functional.pad(features, (0, 0, 0, cast(int, lacking)))).permute(0, 2, 3, 1)
        rows, columns = features.shape[1:3]
        early = features.flatten(1, 2)
        features = self._along_rows(features, grid[:, 1])  # (B, rows, columns, D)
        valid = valid_positions(grid, rows, columns).flatten(1)
        memory = features + self.row_position[:rows, None] + self.column_position[:columns]
        steps = features.flatten(1, 2)
        if torch.compiler.is_exporting() or rows > 1:
            place = torch.arange(valid.shape[1], device=valid.device)
            first = torch.where(valid, place, place + valid.shape[1]).argsort(dim=1)
            steps, early = (x.gather(1, first[..., None].expand_as(x)) for x in (steps, early))
        lines = (sizes[:, 0] / self.line_height).ceil().long()
        limit = (lines * grid[:, 1] + 1).clamp(max=self.config.max_length - 1)  # a character takes a column or more
        stand = line_of_positions(self.config, self.line_height, rows, columns).to(memory).expand(memory.shape[0], -1)
        return Encoded(
            memory.flatten(1, 2), valid, steps, grid.prod(1), early, limit, stand, line_count(sizes, self.line_height)
        )

    def _along_rows(self, features: Tensor, counts: Tensor) -> Tensor:
        """The recurrent layers over each row of float (B, rows, columns, width), `counts` (B,) of them valid."""
        batch, rows, columns = features.shape[:3]
        hidden = features.flatten(0, 1)
        time = torch.arange(columns, device=features.device)
        last = counts[:, None].expand(-1, rows).reshape(-1, 1)
        mirror = torch.where(time < last, last - 1 - time, time)[..., None]  # each row's own end comes first
        for layer in cast(Iterable[RowLSTM], self.recurrent):
            hidden = layer(self._drop(hidden), mirror)
        return self.encoder_output(self._drop(self.encoder_norm(hidden))).view(batch, rows, columns, -1)

    def _drop(self, rows: Tensor) -> Tensor:
        """Drop channels of float (N, columns, width), each for the whole row (Gal and Ghahramani 2016)."""
        return self.encoder_dropout(rows.transpose(1, 2)).transpose(1, 2)

    def _row_count(self, rows: Tensor) -> Tensor:
        """How many windows cover `rows` of features, int64 of any shape."""
        step = self.config.row_step
        return ((rows - self.window).clamp(min=0) + step - 1) // step + 1

    def _positions(self, length: int, dim: int) -> nn.Parameter:
        return nn.Parameter(sinusoids(length, dim), requires_grad=self.config.learned_positions)

    def ctc(self, encoded: Encoded) -> Tensor:
        """Log-probabilities float (B, S, vocabulary) of the auxiliary CTC head, one for each of `encoded.steps`."""
        if self.ctc_output is None:
            raise ValueError("a model built with ctc_weight 0 has no CTC head")
        return self.ctc_output(encoded.steps).float().log_softmax(-1)

    def ctc_heads(self, encoded: Encoded) -> list[tuple[float, Tensor]]:
        """The CTC heads as training weighs them: (weight, log-probabilities as by `ctc`), the shortcut among them."""
        config, heads = self.config, []
        if self.ctc_output is not None:
            heads.append((config.ctc_weight, self.ctc(encoded)))
        if self.ctc_shortcut is not None:  # Retsinas et al. 2022: with it the recurrent layers learn much sooner
            heads.append((config.ctc_shortcut, self.ctc_shortcut(encoded.early).float().log_softmax(-1)))
        return heads

    def decode(self, encoded: Encoded, tokens: Tensor) -> Tensor:
        """Teacher forcing: logits float (B, T, vocabulary) of the token after each of `tokens`, int64 (B, T)."""
        place = places(tokens, self.newline)
        hidden, mask, past = self.embed(tokens, place[..., 1]), encoded.attention_mask(), None
        if self.newline >= 0:
            mask, past = mask + fading(encoded.lines, place[..., 0]), own_line(place[..., 1], 0)
            mask = mask.repeat_interleave(self.config.tf_heads, dim=2)
        for layer in self.decoder_layers():
            hidden = layer(hidden, encoded.memory, mask, past)
        return self.output(self.norm(hidden))

    def caches(self, encoded: Encoded, slots: int) -> list[Cache]:
        """For `next_token`: one a layer, with room for `slots` tokens."""
        return [layer.cache(encoded.memory, slots) for layer in self.decoder_layers()]

    def next_token(self, tokens: Tensor, place: Tensor, step: int, caches: list[Cache], mask: Tensor) -> Tensor:
        """Log-probabilities float (B, vocabulary) of the token after the one at `step`, int64 (B,), `<START>` at 0.

        The caches are extended by it. place: int64 (B, 2), see `places`; mask: float (B, 1, 1, S), what to add to
        attention scores, by `Encoded.attention_mask` and `fading`.
        """
        column = place[:, 1:]
        hidden, past = self.embed(tokens[:, None], column), own_line(column, step) if self.newline >= 0 else None
        for layer, cache in zip(self.decoder_layers(), caches, strict=True):
            hidden = layer.step(hidden, cache, step, mask, past)
        return self.predict(hidden)[:, 0]

    def predict(self, hidden: Tensor) -> Tensor:
        """Log-probabilities float (B, T, vocabulary) of the tokens after what the last layer gave."""
        return self.output(self.norm(hidden)).float().log_softmax(-1)

    def decoder_layers(self) -> Iterable[DecoderLayer]:
        """The layers that `caches` has one for each."""
        return cast(Iterable[DecoderLayer], self.layers)  # torch types a ModuleList's items as any module

    def embed(self, tokens: Tensor, column: Tensor) -> Tensor:
        """What enters the first layer for tokens, int64 (B, T), by their places in their lines, int64 (B, T)."""
        positions = functional.embedding(column, self.token_position)
        return self.dropout(self.embedding(tokens) * math.sqrt(self.config.tf_dim) + positions)


def places(tokens: Tensor, newline: int) -> Tensor:
    """Where tokens, int64 (B, T), stand in the text: int64 (B, T, 2), of each its line, and its place in that, from 0.

    `<START>` begins the first line, `newline` the one after it.
    """
    place = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    begins = tokens == newline
    return torch.stack([begins.cumsum(1), place - (place * begins).cummax(1).values], dim=-1)


def line_count(sizes: Tensor, line_height: int) -> Tensor:
    """`Encoded.line_count` of images of these sizes, int64 (B, 2)."""
    return (sizes[:, 0] / line_height).round().long().clamp(min=1)


def line_of_positions(config: ModelConfig, line_height: int, rows: int, columns: int) -> Tensor:
    """`Encoded.lines` of one image, float (rows * columns,), of which that many positions stand below and beside each
    other.
    """
    feature = math.prod(down for down, _ in config.resnet.stride_pairs()) / line_height
    window = config.resnet.output_size(line_height, 1)[0]
    middle = (torch.arange(rows) * config.row_step + window / 2) * feature - 0.5
    return middle[:, None].expand(rows, columns).flatten()


def fading(lines: Tensor, line: Tensor) -> Tensor:
    """What to add to the attention scores of tokens by their lines of text, int64 (B, T): float (B, 1, T, S).

    lines: see `Encoded`. Text is cut at `line_height` pixels a line, so its lines stand about that far apart.
    """
    away = (lines[:, None, None] - line[:, None, :, None]).abs() - REACH
    return -FADE * away.clamp(min=0)


def own_line(column: Tensor, step: int) -> Tensor:
    """Which tokens those from `step` on look back at: of their line all up to themselves, bool (B, 1, T, step + T).

    column: their places in their lines, int64 (B, T).
    """
    slot = torch.arange(step + column.shape[1], device=column.device)
    own = slot[step:]
    return ((slot >= (own - column)[..., None]) & (slot <= own[:, None]))[:, None]
