"""How to train: the section `train`, apart from the code that trains, so that stages without torch can read it."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from textrec.base.params import Params

Share = Annotated[float, Field(ge=0, le=1)]

# A file in git, for `init` and `ckpt_path`: both are dependencies of the stage, and DVC wants a file for each.
NOTHING = "models/none"


class AugmentParams(Params):
    """How training images are changed, anew each time; each operation up to so much, 0: not at all."""

    slant: Annotated[float, Field(ge=0, le=1)]  # pixels across for a pixel down
    slope: Annotated[float, Field(ge=0, le=0.5)]  # line heights that the ends of a line go up or down
    shrink: Annotated[float, Field(ge=0, le=0.5)]  # of the height and of the width
    shift: Annotated[float, Field(ge=0, le=0.5)]  # line heights, down and across
    elastic: Annotated[float, Field(ge=0, le=0.25)]  # line heights, standard deviation across; half of it down
    thickness: Share  # pixels that strokes become thicker or thinner
    blur: Share  # of each pixel that is the mean of its neighbours
    contrast: Annotated[float, Field(ge=0, lt=1)]  # share of the ink's brightness; also how far gamma goes from 1
    mask: Share  # of the squares of the size of a line in which a span is blank
    paper: Annotated[float, Field(ge=0, le=0.5)]  # brightness of the paper, of white
    noise: Annotated[float, Field(ge=0, le=0.5)]  # standard deviation, of white


class Origin(Params):
    """What the section `data` tells of where samples are from."""

    model_config = ConfigDict(extra="ignore")

    source: str
    ground_truth: list[str]
    fonts: str | None

    @property
    def is_sample(self) -> bool:
        """Whether there is nothing but the embedded sample."""
        return self.source == "sample" and not self.ground_truth and not self.fonts


class TrainParams(Params):
    """How to train."""

    data: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]  # a dataset of data/processed, or a mixture of `mix`
    init: str  # a model whose weights to begin with, where names and shapes match; NOTHING: random ones
    ckpt_path: str  # checkpoints/*/finished.ckpt of a run to continue for more epochs; NOTHING: none
    launcher: str  # what starts it: python, or torchrun or srun for several nodes; see docs/scale.md
    seed: NonNegativeInt
    batch_size: PositiveInt
    recombine: Share  # of the training samples are made anew each epoch, from words of several
    lr: PositiveFloat  # the highest, reached after `warmup`
    warmup: Share  # of all steps, linear; then a cosine down to 0
    weight_decay: Annotated[float, Field(ge=0)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]  # of the averaged weights, which are what is validated and kept
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]  # of the decoder's targets
    token_noise: Share  # of the teacher-forced tokens are replaced by random characters
    ignore_padding: bool  # leave what follows <END> out of the loss
    language: NonNegativeInt  # characters of the longest runs that the language model counts in the texts; 0: none
    augment: AugmentParams
    plain: Share  # of all steps, the last: images as they are
    overfit_batches: NonNegativeInt  # train and validate on the same few batches, images as they are; 0: on all
    compile: bool  # torch.compile: slower to begin with, faster from then on, above all on a GPU
    wandb: Literal["disabled", "offline", "online"]
    watch_gradients: bool  # by wandb
    device_stats: bool  # log use of processor, memory and GPU
    trainer: dict[str, Any]  # passed to lightning.Trainer as they are
    checkpoint: dict[str, Any]  # passed to ModelCheckpoint as they are

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.watch_gradients and self.wandb == "disabled":
            raise ValueError("watch_gradients is true, but it is wandb that watches; set wandb to offline or online")
        if self.checkpoint.get("save_weights_only"):
            raise ValueError("checkpoint.save_weights_only must be false: Lightning would leave the averages out")
        return self
