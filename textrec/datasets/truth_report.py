"""What was kept of the ground truth, and what was dropped and why."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from textrec.base.records import SPLITS

FEW = 20  # of a kind that are told before they are only counted
LINES, FILES, IGNORED, REPLACED = "dropped_lines", "dropped_files", "ignored_files", "letters_without_their_marks"


class Report:
    """Counts by corpus; filled while ground truth is read and cut."""

    def __init__(self) -> None:
        self.lines: defaultdict[str, Counter[str]] = defaultdict(Counter)  # by split; "" counts all that were found
        self.characters: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.documents: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self.pages: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self.noted: defaultdict[str, defaultdict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))

    def find(self, corpus: str, lines: int) -> None:
        """Count lines of a file that can be read."""
        self.lines[corpus][""] += lines

    def keep(self, corpus: str, split: str, document: str, page: str, text: str) -> None:
        """Count a line that became a sample."""
        self.lines[corpus][split] += 1
        self.characters[corpus][split] += len(text)
        self.documents[corpus, split].add(document)
        self.pages[corpus, split].add(page)

    def note(self, corpus: str, kind: str, reason: str, what: str) -> None:
        """Count a line or file of one of the kinds above, and say which it is."""
        self.noted[corpus][kind, reason].append(what)

    def metrics(self) -> dict[str, Any]:
        """Counts by corpus and split, and by reason what was dropped, ignored or changed, with what the first are."""
        return {corpus: self._corpus(corpus) for corpus in sorted({*self.lines, *self.noted})}

    def _corpus(self, corpus: str) -> dict[str, Any]:
        noted: dict[str, dict[str, Any]] = {kind: {} for kind in (LINES, FILES, IGNORED, REPLACED)}
        for (kind, reason), what in sorted(self.noted[corpus].items()):
            noted[kind][reason] = {"count": len(what), "first": what[:FEW]}
        splits = {
            split: {
                "documents": len(self.documents[corpus, split]),
                "pages": len(self.pages[corpus, split]),
                "lines": self.lines[corpus][split],
                "characters": self.characters[corpus][split],
            }
            for split in SPLITS
        }
        return {"lines_found": self.lines[corpus][""], **splits, **noted}

    def summary(self) -> Iterator[str]:
        """A line for each corpus."""
        for corpus, counts in self.metrics().items():
            kept = ", ".join(f"{split} {counts[split]['lines']}" for split in SPLITS)
            dropped = {reason: noted["count"] for kind in (LINES, FILES) for reason, noted in counts[kind].items()}
            reasons = ", ".join(f"{reason} ({count})" for reason, count in dropped.items())
            yield f"{corpus}: {counts['lines_found']} lines; {kept}; dropped: {reasons or 'none'}"
