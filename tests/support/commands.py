"""The command `textrec`, run in the process of the test."""

from collections.abc import Callable

Run = Callable[..., tuple[int, str, str]]
