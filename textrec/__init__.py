"""Handwriting recognition that anyone can reproduce: from raw archives to character error rates."""

__version__ = "0.1.0"
