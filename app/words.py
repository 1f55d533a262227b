"""What the page says: a reading with its doubts, the model and its figures, as HTML that is safe to show."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from app.reader import Card, Read
from textrec.base.runtime import read_json
from textrec.reading.page_reading import PageReading
from textrec.reports.errors_page import DOUBTS, SIGNS, doubt

MOST_DOUBTFUL = 6  # characters named below a reading
METRICS, LOCK = "metrics/test.json", "dvc.lock"


def message_html(text: str) -> Markup:
    """A sentence."""
    return Markup("<p>{}</p>").format(text)


def reading_html(read: Read) -> Markup:
    """The text, its doubtful characters marked by line and shade, and what its confidence means."""
    if not read.text:
        return message_html("No text was found in the picture.")
    marked = Markup("").join(map(_marked, read.text, read.characters))
    text = Markup('<p class="reading">{}</p>').format(marked)
    return text + message_html(confidence_words(read.confidence)) + _doubts(read)


def _marked(character: str, probability: float) -> str:
    element = Markup('<mark class="doubt{}" title="{:.0%}">{}</mark>')
    return element.format(level, probability, character) if (level := doubt(probability)) else character


def _doubts(read: Read) -> Markup:
    """What the marks mean, and the least sure characters for who cannot see the marks or point at them."""
    pairs = sorted(zip(read.characters, read.text, strict=True))[:MOST_DOUBTFUL]
    named = [f"{SIGNS.get(character, character)} {share:.0%}" for share, character in pairs if doubt(share)]
    if not named:
        return message_html(f"Each character is right with a probability of {DOUBTS[0]:.0%} or more.")
    levels = enumerate(DOUBTS, start=1)
    marks = (Markup('<mark class="doubt{}">below {:.0%}</mark>').format(level, limit) for level, limit in levels)
    return Markup("<p>Marked are characters whose probability of being right is {}. Least sure: {}.</p>").format(
        Markup(", ").join(marks), ", ".join(named)
    )


def page_html(page: PageReading) -> Markup:
    """How many lines a page has, and what its confidence means."""
    if not page.lines:
        return message_html("A page in which no line was found; draw its lines below.")
    turned = " It lay on its side or head, and is shown upright." if page.turned else ""
    return message_html(f"A page of {len(page.lines)} lines, to correct below.{turned}") + message_html(
        confidence_words(page.confidence)
    )


def confidence_words(confidence: float) -> str:
    """A confidence, the share of the text that is right, in words and figures."""
    figures = f"Confidence {confidence:.0%}"
    if confidence >= 0.995:
        return f"{figures}: hardly any character should be wrong."
    if confidence >= 0.5:
        return f"{figures}: expect one wrong character in about {round(1 / (1 - confidence))}."
    return f"{figures}: more is likely to be wrong than right."


def card_html(card: Card) -> Markup:
    """The model: where it is from, what it takes, how well it reads, what its confidence means, where it fails."""
    characters = card.charset.characters.replace("\n", "").replace(" ", "␣")
    several = card.paragraphs
    network = "ResNet, recurrent layers, Transformer decoder" + (" and CTC, read by both" if card.ctc else "")
    rows = {
        "file": f"{card.path}, {card.size / 1e6:.1f} MB",
        "SHA-256": card.sha256,
        "network": f"{network}; {card.parameters:,} parameters",
        "reads": "paragraphs of several lines" if several else "a line or a page, line by line",
        "characters": Markup("<code>{}</code>{}").format(characters, " and the line break" if several else ""),
        "longest text": f"{card.max_length} characters",
        "largest image": f"{card.max_width} x {card.max_height} pixels, at {card.line_height} pixels a line",
    }
    return Markup("").join(
        [
            _table("The model", rows.items()),
            *_figures(card.path),
            message_html(
                "Confidence is the share of the characters that should be right, 1 - CER, and the probability of a "
                "character that it is right. Both were fitted to readings of the validation split. They hold for "
                "pictures like those of the training; on others they may promise too much."
            ),
            message_html(
                f"It reads {'a paragraph' if several else 'a line or a page'} of handwriting, in the characters above; "
                "others come out as the nearest of these. It is not made for print, tables or text that is crossed "
                "out. It makes more errors on hands and pens that are unlike those of its training."
            ),
        ]
    )


def _figures(model: Path) -> Iterable[Markup]:
    if not measured(model):
        card = model.with_suffix(".md")
        elsewhere = f"{METRICS} has no figures of this file: they are of the model that `dvc repro` evaluated last."
        yield message_html(f"Its figures are in {card}." if card.exists() else elsewhere)
        return
    metrics: Mapping[str, Any] = read_json(METRICS)
    rows = {
        "character error rate (CER)": _rate(metrics, "cer"),
        "word error rate (WER)": _rate(metrics, "wer"),
        "without error": f"{metrics['perfect']:.0%} of the samples",
        "measured on": f"{metrics['samples']} samples of {metrics['forms']} forms, the test split",
    }
    if sure := metrics.get("confidence"):
        rows["confidence is off by"] = (
            f"{sure['ece_samples']:.1%} on average for a text, {sure['ece_characters']:.1%} for a character"
        )
    yield _table("Its test, with 95 % intervals", rows.items())


def measured(model: Path) -> bool:
    """Whether METRICS has the figures of this model: dvc.lock knows by MD5 which one was evaluated."""
    if not (Path(METRICS).exists() and Path(LOCK).exists()):
        return False
    stages = yaml.safe_load(Path(LOCK).read_text(encoding="utf-8"))["stages"]
    digest = hashlib.md5(model.read_bytes(), usedforsecurity=False).hexdigest()
    deps = stages.get("predict", {}).get("deps", [])
    return any(dep["path"] == "models/model.ckpt" and dep["md5"] == digest for dep in deps)


def _rate(metrics: Mapping[str, Any], name: str) -> str:
    value, low, high = (f"{100 * metrics[key]:.1f}" for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value} % [{low}, {high}]"


def _table(caption: str, rows: Iterable[tuple[str, str]]) -> Markup:
    lines = Markup("").join(Markup('<tr><th scope="row">{}</th><td>{}</td></tr>').format(*row) for row in rows)
    return Markup("<table><caption>{}</caption>{}</table>").format(caption, lines)
