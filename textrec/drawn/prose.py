"""What the sample's writers write: sentences of the sample text, and sentences put together from a small grammar."""

import itertools
import re
import textwrap
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources

import numpy as np

# Which forms may hold a sentence of the sample text, by its place in the text: what is tested on was not trained on.
SENTENCE_SPLITS = ("train", "test", "train", "val", "train", "test", "train", "train")

# Of names of people and places each capital begins two, and so is seen often enough to be learnt.
VOCABULARY_TEXT = """\
name: Anna, Arthur, Bella, Boris, Clara, Colin, Diana, Dennis, Edith, Eric, Fiona, Frank, Greta, George, Hilda, Henry,
  Irene, Ivan, Julia, Jack, Kate, Karl, Laura, Leo, Maria, Max, Nora, Neil, Olga, Oscar, Paula, Peter, Queenie,
  Quentin, Rosa, Ralph, Sarah, Simon, Tina, Tom, Ursula, Ugo, Vera, Victor, Wendy, Walter, Xenia, Xaver, Yvonne, Yuri,
  Zoe, Zack
surname: Abbott, Archer, Barnes, Blake, Cooper, Crane, Dalton, Drew, Ellis, Evans, Foster, Finch, Grant, Gibbs,
  Hughes, Hart, Irwin, Ingram, Jones, Jarvis, Keller, Knox, Lambert, Lowe, Mason, Moore, Nash, Norton, Owens, Oakley,
  Parker, Price, Quinn, Quayle, Reed, Rowan, Shaw, Stone, Turner, Thorpe, Upton, Unwin, Vance, Vickers, Walsh, Webb,
  Xander, Xu, Young, York, Zeller, Zimmer
place: Avebury, Aston, Bath, Bridgeport, Cambridge, Corby, Dover, Derby, Exeter, Ely, Falmouth, Fowey, Glasgow,
  Grimsby, Hastings, Hull, Ipswich, Ilford, Jarrow, Jersey, Kendal, Kew, Leeds, Luton, Malvern, Margate, Newbury,
  Norwich, Oxford, Oban, Poole, Perth, Quebec, Quorn, Ripon, Rugby, Stroud, Salford, Truro, Taunton, Ulverston,
  Utrecht, Ventnor, Vienna, Wells, Whitby, Xanten, Xanthi, Yeovil, Yarm, Zurich, Zagreb
day: Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday
month: January, February, March, April, May, June, July, August, September, October, November, December
person: my aunt, the gardener, our neighbour, the young clerk, a tall stranger, the old captain, the new teacher, her
  cousin, the baker's wife, every visitor, the quiet boy, the night nurse, a jolly farmer, his sister, the judge, a
  lazy waiter
verb: found, carried, painted, borrowed, sold, repaired, wrapped, examined, wanted, forgot, bought, kept, hid, moved,
  lost, praised, dropped, washed, judged, fixed, brought, quickly opened, never touched, proudly showed, just saw
thing: a wooden box, the green door, two brown jugs, the heavy key, an old map, six fresh eggs, the blue vase, a
  quilt, the kitchen clock, a jar of honey, the broken chair, a long letter, the brass lamp, a grey coat, many books,
  the garden gate, a basket of plums, some yellow paper, the silver watch, a quiet horse
where: near the bridge, under the stairs, by the river, in the attic, behind the church, at the market, on the hill,
  beside the quay, in a small shop, across the square, before breakfast, after the storm, late at night, without a
  word, for the first time, with great care, just in time, once again
trait: quiet, very tired, quite happy, rather vexed, just lucky, too polite, amazed, so kind, a bit lazy, joking
"""
VOCABULARY = {
    key: values.replace("\n ", "").split(", ")
    for key, values in re.findall(r"^(\w+): (.+(?:\n  .+)*)", VOCABULARY_TEXT, re.MULTILINE)
}
NUMBERS = {
    "number": (2, 1000),
    "number2": (2, 1000),
    "hour": (1, 13),
    "minute": (10, 60),
    "date": (1, 31),
    "year": (1700, 2030),
}

# Without I and O, which look like digits where no word helps; the letters that English uses least stand twice.
CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ" + "BGHJKPQUVXYZ"
PATTERNS = (
    "{Person} {verb} {thing} {where}.",
    "{name} {surname} {verb} {thing} {where}.",
    "{day}, {date} {month} {year}: {person} {verb} {thing}.",
    '"Is {name} {trait}?" asked {a}. {b}. {surname}; {c}. {d}. {surname2} smiled.',
    '"{name}!" cried {surname}; "{person} {verb} {thing}!"',
    "{a}. {b}. {surname} ({place}) and {c}. {d}. {surname2} ({place2}) {verb} {thing}.",
    "{surname} & {surname2} ({a}. {b}. {name}), {number} {place} Road, {place2} {c}{hour} {date}{d}{e}.",
    "Train {a}{b}{hour}/{number}-{c} to {place} leaves at {hour}:{minute}.",
    "Why was {name} {trait}, and {name2} not?",
    "Room #{number} is for {name} {surname} & {name2}; #{number2} is for {a}. {surname2}.",
    "{place}: {number} + {number2} * {date} (see {a}{b}{c}, p. {minute}).",
    "{name}'s hat wasn't {trait}; {name2}'s was.",
    "Ask {a}{b}{c}, {d}{e} or {surname} for {thing}.",
    "{name} left {place} for {place2} at {hour}:{minute} on {day}.",
    "* {surname}: {number}.{minute} + {hour}/{date} & {thing}.",
    "What a joke! {name} {surname} {verb} {thing}.",
    "The {a}{b} of {place} (born {year}) {verb} {thing}.",
    "Call {surname}, {number}-{number2}/{minute}, #{date}, and ask for {name}!",
    "Files {a}{b}-{hour}, {c}{d}/{minute} and {e}{a}+{date} are with {name} & {surname}.",
    "{a}. {b}., {c}. {d}. and {e}. {surname} met at {place}; {surname2} - as usual - was late.",
    "Is it {a}{b}{c} or {d}{e}? {name} L. {surname} and O. {a}. {name2} don't know.",
    "Wanted: zinc, quartz, * {a}{b} wax, jute #{hour} + {c}{d} juice (prize {number}).",
)


@lru_cache(maxsize=1)
def sample_text() -> tuple[str, ...]:
    """The sentences of the sample text in their order."""
    return tuple(resources.files("textrec.drawn").joinpath("sample_text.txt").read_text(encoding="utf-8").splitlines())


def sentences(split: str, rng: np.random.Generator) -> Iterator[str]:
    """What is written on a form of `split`, without end: a sentence of the text, two of the grammar, and so on."""
    kinds = itertools.cycle(SENTENCE_SPLITS)
    own = [sentence for sentence, kind in zip(sample_text(), kinds, strict=False) if kind == split]
    for index in itertools.count(int(rng.integers(len(own)))):
        yield own[index % len(own)]
        yield _assembled(rng)
        yield _assembled(rng)


def _assembled(rng: np.random.Generator) -> str:
    """A sentence of the grammar."""
    fields: dict[str, str | int] = {key: int(rng.integers(*limits)) for key, limits in NUMBERS.items()}
    fields |= zip("abcde", (CODE_LETTERS[index] for index in rng.integers(len(CODE_LETTERS), size=5)), strict=True)
    for key, choices in VOCABULARY.items():
        first, second = rng.choice(len(choices), 2, replace=False)
        fields |= {key: choices[first], f"{key}2": choices[second]}
    fields["Person"] = str(fields["person"])[0].upper() + str(fields["person"])[1:]
    return PATTERNS[int(rng.integers(len(PATTERNS)))].format(**fields)


def broken_into_lines(text: str, length: int) -> list[str]:
    """Break at blanks into lines of at most `length` characters, or one word."""
    return textwrap.wrap(text, length, break_long_words=False, break_on_hyphens=False)


def words_and_marks(line: str) -> list[tuple[int, str]]:
    """The words of a line as IAM divides it, each with where it begins: marks before and after a word are words too."""
    return [
        (token.start() + part.start(), part[0])
        for token in re.finditer(r"\S+", line)
        for part in re.finditer(r'^["(#]|(?<=["(#])["(#]|[.,;:!?")](?=[.,;:!?")]*$)|.+?(?=[.,;:!?")]*$)', token[0])
    ]
