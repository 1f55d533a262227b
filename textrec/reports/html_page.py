"""Pages for a person: one file each that opens anywhere, without scripts and without network."""

import base64
import hashlib
import io
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image
from rapidfuzz.distance import Levenshtein

from textrec.base.runtime import atomic

GREYS = 16  # shades of a picture: as good to read as 256, at half of the bytes
BARS = 24  # of a histogram, about
TAIL = 0.005  # of the values lie beyond the last bar's edge and are counted in it

# Of a histogram, in pixels at which it is drawn; it scales with the page.
WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 48, 14, 12, 44  # margins, for the axes' labels
TICKS = 6  # across, at most


def write_html(path: str | Path, template: str, **values: object) -> None:
    """Write a page by a Jinja template beside this module, which has `values` and the functions below."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("textrec.reports", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"picture": picture, "table": table, "histograms": histograms, "differences": differences}
    environment.filters["digest"] = _digest
    with atomic(path) as temporary:
        temporary.write_text(environment.get_template(template).render(values), encoding="utf-8")


def _digest(style: str) -> str:
    """What a Content-Security-Policy knows a style sheet by."""
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def differences(text: str, other: str) -> tuple[Markup, Markup]:
    """Both texts; what `other` lacks is in <del> in the first, what it has instead in <ins> in the second."""
    left, right = [], []
    for step in Levenshtein.opcodes(text, other):
        old, new = text[step.src_start : step.src_end], other[step.dest_start : step.dest_end]
        same = step.tag == "equal"
        left.append(old if same or not old else Markup("<del>{}</del>").format(old))
        right.append(new if same or not new else Markup("<ins>{}</ins>").format(new))
    return _join(left), _join(right)


def _join(pieces: Iterable[str]) -> Markup:
    """Pieces one after the other; those that are no Markup are escaped."""
    return Markup("").join(pieces)


def picture(image: np.ndarray, alt: str, *, zoom: float = 1.0) -> Markup:
    """An image, uint8 (height, width), white ink on black, as ink on paper; `alt` for who cannot see it.

    It is shown `zoom` times as large where there is room.
    """
    greys = (255 - image.astype(int)) * (GREYS - 1) // 255
    drawn = Image.fromarray(greys.astype(np.uint8))
    drawn.putpalette([255 * grey // (GREYS - 1) for grey in range(GREYS) for _ in "rgb"])
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG", bits=4, optimize=True)
    height, width = (round(zoom * side) for side in image.shape)
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return Markup('<img alt="{}" width="{}" height="{}" src="{}">').format(alt, width, height, source)


def table(caption: str, rows: Sequence[Mapping[str, object]]) -> Markup:
    """A table of plain values, whose first column names the row."""
    head = _join(Markup('<th scope="col">{}</th>').format(name) for name in (rows[0] if rows else ()))
    body = _join(
        Markup('<tr><th scope="row">{}</th>{}</tr>\n').format(
            first, _join(Markup("<td>{}</td>").format(c) for c in cells)
        )
        for first, *cells in (row.values() for row in rows)
    )
    # It scrolls by itself where it is too wide, and so must be within reach of the keyboard.
    return Markup(
        '<div class="scroll" role="region" aria-label="{caption}" tabindex="0"><table><caption>{caption}</caption>'
        "<thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>"
    ).format(caption=caption, head=head, body=body)


# ---- histograms ----


def histograms(groups: Mapping[str, Collection[float]], *, values: str, counted: str) -> Markup:
    """A histogram of each group's finite values, all over the same bars, each with its numbers as a table.

    `values` says what is measured, with its unit; `counted` what has these values. Few values beyond the others are
    counted in the last bar.
    """
    known = {name: np.array([value for value in group if math.isfinite(value)]) for name, group in groups.items()}
    known = {name: group for name, group in known.items() if group.size}
    if not known:
        return Markup("<p>No {}.</p>").format(counted)
    edges = _edges(np.concatenate(list(known.values())))
    figures = _join(_histogram(name, group, edges, values, counted) for name, group in known.items())
    return Markup('<div class="charts">{}</div>').format(figures)


def _edges(values: np.ndarray) -> np.ndarray:
    """Edges of about BARS bars, at round numbers, that hold all values but TAIL."""
    low, high = float(values.min()), float(np.quantile(values, 1 - TAIL))
    whole = (values == np.rint(values)).all()
    step = max(round_up((high - low) / BARS), 1.0 if whole else 0.0) or 1.0
    return np.arange(math.floor(low / step), math.floor(high / step) + 2) * step


def round_up(step: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is no less than `step`; 0 for 0."""
    power = 10.0 ** math.floor(math.log10(step)) if step else 0.0
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999)


def _histogram(name: str, values: np.ndarray, edges: np.ndarray, unit: str, counted: str) -> Markup:
    beyond = int((values > edges[-1]).sum())
    counts = np.histogram(np.minimum(values, edges[-1]), edges)[0].tolist()
    low, middle, high = (f"{round(value, 2):g}" for value in (values.min(), np.median(values), values.max()))
    summary = f"{name}: {len(values)} {counted}, from {low} to {high}, median {middle}"
    if beyond:
        summary += f"; the last bar holds {beyond} beyond it"
    rows = [
        {f"{unit}, from": f"{start:g}", "to below": f"{end:g}", counted: count}
        for start, end, count in zip(edges, edges[1:], counts, strict=False)
    ]
    return Markup(
        "<figure>{bars}<figcaption>{summary}</figcaption>"
        "<details><summary>{name}: as numbers</summary>{numbers}</details></figure>\n"
    ).format(
        bars=_bars(counts, edges, unit, counted, summary),
        summary=summary,
        name=name,
        numbers=table(f"{name}: {counted} by {unit}", rows),
    )


def _bars(counts: list[int], edges: np.ndarray, unit: str, counted: str, summary: str) -> Markup:
    base, right, most = HEIGHT - BOTTOM, WIDTH - RIGHT, max(counts)
    across = (right - LEFT) / len(counts)
    bar = Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
    talls = [count / most * (base - TOP) for count in counts]
    parts = [bar.format(LEFT + n * across, base - tall, across - 1, tall) for n, tall in enumerate(talls)]
    parts.append(Markup('<path d="M{} {}V{}H{}"/>').format(LEFT, TOP, base, right))
    word = Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{}</text>')
    every = max(1, round_up(len(counts) / TICKS)) * (edges[1] - edges[0])
    ticks = [n for n, edge in enumerate(edges) if math.isclose(edge / every, round(edge / every), abs_tol=1e-6)]
    parts += [word.format(LEFT + n * across, base + 16, "middle", f"{edges[n]:g}") for n in ticks]
    parts += [word.format(LEFT - 5, y + 4, "end", value) for value, y in ((0, base), (most, TOP))]
    parts.append(word.format((LEFT + right) / 2, HEIGHT - 6, "middle", unit))
    turned = Markup('<text transform="translate(12 {}) rotate(-90)" text-anchor="middle">{}</text>')
    parts.append(turned.format((TOP + base) / 2, counted))
    drawing = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return drawing.format(WIDTH, HEIGHT, summary, _join(parts))
