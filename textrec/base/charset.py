"""The characters a model reads and writes, as token ids, and how the truth is brought to them."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Self

from pydantic import PositiveInt, model_validator

from textrec.base.params import Params
from textrec.base.runtime import TextrecError

# Order of the EMNIST by-class mapping (digits, capitals, small letters), then what IAM's lines hold beyond it.
LINE_CHARACTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase + " !\"#&'()*+,-./:;?"
PARAGRAPH_CHARACTERS = LINE_CHARACTERS + "\n"
# The rest of ASCII, the letters of Latin-1, and what Western European hands and print need beside them.
LATIN_LETTERS = "".join(chr(code) for code in range(0xC0, 0x100) if code not in (0xD7, 0xF7)) + "œŒŸ"
LATIN_CHARACTERS = LINE_CHARACTERS + "$%<=>@[\\]^_`{|}~" + LATIN_LETTERS + "‘’‚“”„«»‹›–—£€§°†"
NAMED = {"iam": LINE_CHARACTERS, "latin": LATIN_CHARACTERS}
DATA = "data"

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
        counts = Counter(self.characters)
        if len(counts) != len(self.characters):
            twice = "".join(character for character, count in counts.items() if count > 1)
            raise TextrecError(f"charset {self.characters!r} names {twice!r} twice; leave each character in it once")
        ids = {character: index for index, character in enumerate(self.characters, start=len(SPECIALS))}
        object.__setattr__(self, "_ids", ids)

    def __len__(self) -> int:
        """Number of tokens, the specials included."""
        return len(SPECIALS) + len(self.characters)

    @property
    def newline(self) -> int:
        """Token id of a newline, which stands between the lines of a paragraph; -1, that of none, without one."""
        return self._ids.get("\n", -1)

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


class CharsetParams(Params):
    """Section `charset`: which characters all datasets are written in, and what becomes of those outside."""

    characters: str
    """`iam`, `latin`, `data` (those that the training lines hold `min_count` times), or the characters themselves."""
    min_count: PositiveInt
    on_unknown: Literal["error", "skip", "replace"]
    """A truth with a character outside: stop, drop it, or put letters without their marks (é: e), dropping the rest."""
    normalize: dict[str, str]
    """Of truth alone, in its order: a regular expression, and what it becomes."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.characters not in (*NAMED, DATA):
            if " " not in self.characters or "\n" in self.characters:
                known = f"{', '.join(NAMED)} or {DATA}, or the characters themselves, a blank and no newline among them"
                raise TextrecError(f"charset.characters is {self.characters!r}; it must be {known}")
            Charset(self.characters)
        for pattern, new in self.normalize.items():
            try:
                re.sub(pattern, new, "")
                re.compile(pattern)
            except (re.error, IndexError) as error:
                where = f"charset.normalize: {pattern!r} to {new!r}"
                raise TextrecError(f"{where}: not a regular expression and its replacement ({error})") from None
        return self

    def charset(self, texts: Iterable[str]) -> Charset:
        """The charset of a dataset; texts: its training lines as they are written to it, read for `data` alone.

        Where there are none it is IAM's.
        """
        if self.characters != DATA:
            return Charset(NAMED.get(self.characters, self.characters))
        counts = Counter(character for text in texts for character in text if character != "\n")
        if not counts:
            return Charset(LINE_CHARACTERS)
        frequent = {character for character, count in counts.items() if count >= self.min_count}
        rest = sorted(frequent - set(LINE_CHARACTERS))
        return Charset("".join([character for character in LINE_CHARACTERS if character in frequent] + rest))

    @property
    def fixed(self) -> Charset | None:
        """The charset where it is the same for all datasets; None where each has its own."""
        return None if self.characters == DATA else self.charset(())

    def normalized(self, text: str) -> str:
        """A truth in Unicode's composed form (NFC), as the table has it, without blanks around."""
        text = unicodedata.normalize("NFC", text)
        for pattern, new in self.normalize.items():
            text = re.sub(pattern, new, text)
        return text.strip()

    def written(self, text: str, charset: Charset) -> str:
        """A truth as a dataset has it: normalised, and `replaced`."""
        return self.replaced(self.normalized(text), charset)

    def replaced(self, text: str, charset: Charset) -> str:
        """With `replace`, the text with letters outside the charset as those that they are made of; else as it is.

        Other characters outside stay: the line is to be dropped, or an error.
        """
        if self.on_unknown != "replace":
            return text
        plain = {character: _without_marks(character) for character in charset.unknown(text)}
        return text.translate({ord(old): new for old, new in plain.items() if new and not charset.unknown(new)})


def _without_marks(character: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
