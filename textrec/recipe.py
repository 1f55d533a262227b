"""How to train: the section `train`, apart from the code that trains, so that stages without torch can read it."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from textrec.params import Params

Share = Annotated[float, Field(ge=0, le=1)]


class TrainParams(Params):
    """How to train."""

    data: Literal["emnist_lines", "iam_lines", "iam_paragraphs", "synth_paragraphs", "iam_and_synth_paragraphs"]
    seed: int
    batch_size: PositiveInt
    lr: PositiveFloat  # the highest, reached after `warmup`
    warmup: Share  # of all steps, linear; then a cosine down to 0
    weight_decay: Annotated[float, Field(ge=0)]
    token_noise: Share  # of the teacher-forced tokens are replaced by random characters
    ignore_padding: bool  # leave what follows <END> out of the loss
    trainer: dict[str, Any]  # passed to lightning.Trainer as they are
    checkpoint: dict[str, Any]  # passed to ModelCheckpoint as they are
