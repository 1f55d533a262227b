"""Put readings that people have corrected beside the lines of scanned forms, to train on both."""

import itertools

from textrec.base.charset import Charset, CharsetParams
from textrec.base.params import load
from textrec.base.records import SPLITS
from textrec.base.runtime import run, tell_dropped, write_json
from textrec.datasets.corrections import corrected_lines, read_corrections
from textrec.datasets.samples import known_samples, read_split, write_training_samples


def main() -> None:
    """Write the training lines of both, and those of validation and test from the forms; count the corrections."""
    folder, real = "data/corrected", "data/processed/iam_lines.h5"
    corrections = read_corrections(folder)
    lines = [correction for correction in corrections if "\n" not in correction.text]
    train = read_split(real, "train")
    corrected = (("train", sample) for sample in corrected_lines(folder, lines, line_height=train.line_height))
    known = known_samples(corrected, Charset(train.characters), load("charset", CharsetParams))
    # Without corrections it would be the real lines by another name.
    samples = itertools.chain(train.samples(), (sample for _, sample in known)) if lines else ()
    write_training_samples(
        "data/processed/corrected_lines.h5", samples, real, source="corrected_lines", may_be_empty=SPLITS
    )
    several = len(corrections) - len(lines)
    counts = {
        "lines": len(lines),
        "left_out_several_lines": several,
        "read_right": sum(correction.text == correction.read for correction in lines),
        "writers": len({correction.writer for correction in lines} - {""}),
    }
    write_json("metrics/corrected.json", counts)
    tell_dropped({"corrections": {"of several lines": several}}, see="metrics/corrected.json")


if __name__ == "__main__":
    run(main)
