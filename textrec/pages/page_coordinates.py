"""From the coordinates of PAGE XML and ALTO to pixels of the image as it stands upright, and back.

What a camera turned by EXIF is shown upright by some programs and as it is stored by others, and their coordinates are
those of what they showed.
"""

from pathlib import Path

import numpy as np

from textrec.base.runtime import TextrecError
from textrec.pages.pictures import ACROSS
from textrec.pages.xml_edit import Element

SOFTWARE = "textrec"  # as what writes files calls itself in them
DISTORTION = 0.02  # how far the scales of width and height may differ: sizes are rounded, in tenths of a millimetre too
LONGEST = 1e9  # a coordinate beyond is a slip of the pen, and would overflow
# By EXIF's orientation where one step to the right, and one down, of what is stored leads in the upright picture.
STEPS = {
    1: ((1, 0), (0, 1)),
    2: ((-1, 0), (0, 1)),
    3: ((-1, 0), (0, -1)),
    4: ((1, 0), (0, -1)),
    5: ((0, 1), (1, 0)),
    6: ((0, 1), (-1, 0)),
    7: ((0, -1), (-1, 0)),
    8: ((0, -1), (1, 0)),
}


def points_of(text: str) -> np.ndarray | None:
    """Float64 (N, 2) of "x,y x,y" or "x y x y"; None where it is not such a list."""
    try:
        numbers = np.array(text.replace(",", " ").split(), dtype=np.float64)
    except ValueError:
        return None
    if len(numbers) % 2 or not (np.abs(numbers) <= LONGEST).all():  # not: nor NaN
        return None
    return numbers.reshape(-1, 2)


def moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points, float64 (N, 2), in other coordinates; matrix: float64 (3, 2), of x, of y, and of where both are 0."""
    return points @ matrix[:2] + matrix[2]


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The matrix that moves points back."""
    back = np.linalg.inv(matrix[:2])
    return np.vstack([back, -matrix[2] @ back])


def declared_size(kind: str, root: Element, page: Element, path: Path) -> tuple[float, float]:
    """Width and height in the XML's unit; (0, 0) where it leaves them to the image, as only pixels can.

    Raises TextrecError where they are no sizes, or are missing and the unit is another.
    """
    names = ("imageWidth", "imageHeight") if kind == "page" else ("WIDTH", "HEIGHT")
    given = [page.attributes.get(name, "").strip() or "0" for name in names]
    sizes = points_of(" ".join(given))
    if sizes is None or (sizes < 0).any():
        raise TextrecError(f"{path}: the page's {names[0]} and {names[1]} are {' and '.join(given)}; mend the XML")
    width, height = sizes[0].tolist()
    if min(width, height) >= 1:
        return width, height
    unit = root.first("Description", "MeasurementUnit") if kind == "alto" else None
    if unit and unit.text.strip() != "pixel":
        raise TextrecError(f"{path}: measures in {unit.text.strip()}, but its Page has no WIDTH and HEIGHT; add them")
    return 0, 0


def to_pixels(
    root: Element, size: tuple[float, float], upright: tuple[int, int], orientation: int, path: Path, image: Path
) -> np.ndarray:
    """From the XML's coordinates to pixels of the upright image, for `moved`: the unit itself need not be known.

    size: as `declared_size` gives it. upright, orientation: as `picture_size` does. What textrec wrote has coordinates
    of the upright image; any other XML of a turned one must tell by its size which way it takes it.
    Raises TextrecError where it does not, or is of other proportions.
    """
    stored = (upright[1], upright[0]) if orientation in ACROSS else upright
    as_shown = _scale(size, upright)
    as_stored = None if orientation == 1 or _is_own(root) else _scale(size, stored)
    if as_shown is not None and as_stored is not None:
        problem = f"its image {image} is turned by its EXIF, and its coordinates do not say whether they are, too"
        raise TextrecError(f"{path}: {problem}; save the image anew, turned if they are, and else without its EXIF")
    if as_shown is not None:
        return np.vstack([np.diag(as_shown), np.zeros(2)])
    if as_stored is not None:
        steps = np.array(STEPS[orientation], float)
        corner = -np.minimum(steps * np.reshape(stored, (2, 1)), 0).sum(axis=0)
        return np.vstack([np.diag(as_stored) @ steps, corner])
    declared, pixels = (f"{width:g} x {height:g}" for width, height in (size, upright))
    problem = f"its page is {declared}, but {image} is {pixels} pixels, of other proportions"
    raise TextrecError(f"{path}: {problem}; put the image there that the XML was made from, turned as it was then")


def _scale(size: tuple[float, float], pixels: tuple[int, int]) -> np.ndarray | None:
    """Pixels for one unit of the XML, in x and in y; None where proportions differ."""
    if min(size) == 0:
        return np.ones(2)
    scale = np.divide(pixels, size)
    return scale if scale.max() <= scale.min() * (1 + DISTORTION) else None


def _is_own(root: Element) -> bool:
    """Whether textrec wrote a file, PAGE or ALTO."""
    creator = root.first("Metadata", "Creator") or root.first(
        "Description", "Processing", "processingSoftware", "softwareName"
    )
    return creator is not None and creator.text.split()[:1] == [SOFTWARE]
