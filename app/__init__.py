"""A page that reads handwriting, and keeps what people correct; `python -m app` opens it."""
