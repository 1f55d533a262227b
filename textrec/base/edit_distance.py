"""What was read against the truth, by edit distance; the truth comes first everywhere."""

import numpy as np
from rapidfuzz.distance import Levenshtein


def char_errors(truth: str, read: str) -> int:
    """Characters to insert, delete or replace (Levenshtein distance)."""
    return Levenshtein.distance(truth, read)


def word_errors(truth: str, read: str) -> int:
    """Blank-separated words to insert, delete or replace."""
    return Levenshtein.distance(truth.split(), read.split())


def right_tokens(truth: str, read: str) -> np.ndarray:
    """Whether each character of `read`, and its end, stands where `truth` has it: bool (len(read) + 1,).

    By an alignment with as few errors as can be; of several such rapidfuzz takes always the same. The end is right
    where none of the truth is missing behind the text.
    """
    right = np.ones(len(read) + 1, bool)
    for step in Levenshtein.opcodes(truth, read):
        right[step.dest_start : step.dest_end] = step.tag == "equal"
        right[-1] = step.tag != "delete"
    return right


def right_share(truth: str, read: str) -> float:
    """1 - CER of one text, or 0 where that is less; of an empty truth 1 or 0."""
    if not truth:
        return float(not read)
    return max(0.0, 1 - char_errors(truth, read) / len(truth))
