"""The characters a model reads and writes, as token ids."""

import string
from collections.abc import Iterable
from dataclasses import dataclass, field

from textrec.base.runtime import TextrecError

# Order of the EMNIST by-class mapping (digits, capitals, small letters), then what IAM's lines hold beyond it.
LINE_CHARACTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase + " !\"#&'()*+,-./:;?"
PARAGRAPH_CHARACTERS = LINE_CHARACTERS + "\n"

SPECIALS = ("<BLANK>", "<START>", "<END>", "<PAD>")
BLANK, START, END, PAD = range(len(SPECIALS))


@dataclass(frozen=True)
class Charset:
    """Text to token ids and back: the four specials are 0 to 3, `characters[i]` is token `i + 4`.

    Raises TextrecError where a character stands twice.
    """

    characters: str
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(set(self.characters)) != len(self.characters):
            raise TextrecError(f"charset {self.characters!r} names a character twice; remove one of them")
        ids = {character: index for index, character in enumerate(self.characters, start=len(SPECIALS))}
        object.__setattr__(self, "_ids", ids)

    def __len__(self) -> int:
        """Number of tokens, the specials included."""
        return len(SPECIALS) + len(self.characters)

    def unknown(self, text: str) -> str:
        """The characters of `text` that are not in the charset, each once, sorted."""
        return "".join(sorted(set(text) - self._ids.keys()))

    def encode(self, text: str) -> list[int]:
        """Token ids of `text` alone, without `<START>` and `<END>`; KeyError on a character not in the charset."""
        return [self._ids[character] for character in text]

    def decode(self, tokens: Iterable[int]) -> str:
        """Text of token ids up to the first `<END>`; the other specials are left out."""
        characters = []
        for token in tokens:
            if token == END:
                break
            if token >= len(SPECIALS):
                characters.append(self.characters[token - len(SPECIALS)])
        return "".join(characters)
