"""A section `train` for the tests of what trains."""

from typing import Any

from textrec.training.recipe import AugmentParams

RECIPE: dict[str, Any] = {
    "data": "iam_lines",
    "init": "models/none",
    "ckpt_path": "models/none",
    "launcher": "python",
    "seed": 1,
    "batch_size": 8,
    "lr": 0.01,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "recombine": 0.0,
    "ema_decay": 0.0,
    "label_smoothing": 0.0,
    "token_noise": 0.0,
    "language": 0,
    "augment": dict.fromkeys(AugmentParams.model_fields, 0.0),
    "ignore_padding": False,
    "compile": False,
    "plain": 0.0,
    "overfit_batches": 0,
    "wandb": "disabled",
    "watch_gradients": False,
    "device_stats": False,
    "trainer": {"max_epochs": 2, "accelerator": "cpu", "num_sanity_val_steps": 0},
    "checkpoint": {},
}
