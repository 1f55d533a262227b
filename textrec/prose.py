"""What the sample's writers write: sentences of the sample text, and sentences put together from a small grammar."""

import re
import string
import textwrap
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources

import numpy as np

# Every capital begins as many names as any other, so that a model sees them all.
FIRST_NAMES = """Anna Arthur Bella Boris Clara Colin Diana Dennis Edith Eric Fiona Frank Greta George Hilda Henry Irene
Ivan Julia Jack Kate Karl Laura Leo Maria Max Nora Neil Olga Oscar Paula Peter Queenie Quentin Rosa Ralph Sarah Simon Tina
Tom Ursula Ugo Vera Victor Wendy Walter Xenia Xaver Yvonne Yuri Zoe Zack""".split()
SURNAMES = """Abbott Archer Barnes Blake Cooper Crane Dalton Drew Ellis Evans Foster Finch Grant Gibbs Hughes Hart Irwin
Ingram Jones Jarvis Keller Knox Lambert Lowe Mason Moore Nash Norton Owens Oakley Parker Price Quinn Quayle Reed Rowan
Shaw Stone Turner Thorpe Upton Unwin Vance Vickers Walsh Webb Xander Xu Young York Zeller Zimmer""".split()
PLACES = """Avebury Aston Bath Bridgeport Cambridge Corby Dover Derby Exeter Ely Falmouth Fowey Glasgow Grimsby Hastings
Hull Ipswich Ilford Jarrow Jersey Kendal Kew Leeds Luton Malvern Margate Newbury Norwich Oxford Oban Poole Perth Quebec
Quorn Ripon Rugby Stroud Salford Truro Taunton Ulverston Utrecht Ventnor Vienna Wells Whitby Xanten Xanthi Yeovil Yarm
Zurich Zagreb""".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
PEOPLE = """my aunt|the gardener|our neighbour|the young clerk|a tall stranger|the old captain|the new teacher|her cousin
|the baker's wife|every visitor|the quiet boy|the night nurse|a jolly farmer|his sister|the judge|a lazy waiter""".replace(
    "\n", ""
).split("|")
VERBS = """found|carried|painted|borrowed|sold|repaired|wrapped|examined|wanted|forgot|bought|kept|hid|moved|lost|praised
|dropped|washed|judged|fixed|brought|quickly opened|never touched|proudly showed|just saw""".replace("\n", "").split("|")
THINGS = """a wooden box|the green door|two brown jugs|the heavy key|an old map|six fresh eggs|the blue vase|a quilt
|the kitchen clock|a jar of honey|the broken chair|a long letter|the brass lamp|a grey coat|many books|the garden gate
|a basket of plums|some yellow paper|the silver watch|a quiet horse""".replace("\n", "").split("|")
WHERE = """near the bridge|under the stairs|by the river|in the attic|behind the church|at the market|on the hill
|beside the quay|in a small shop|across the square|before breakfast|after the storm|late at night|without a word
|for the first time|with great care|just in time|once again""".replace("\n", "").split("|")
TRAITS = "quiet|very tired|quite happy|rather vexed|just lucky|too polite|amazed|extremely kind|a bit lazy|joking".split("|")


@lru_cache(maxsize=None)
def sample_text() -> tuple[str, ...]:
    """The sentences of sample_text.txt in their order."""
    return tuple(resources.files("textrec").joinpath("sample_text.txt").read_text(encoding="utf-8").splitlines())


def own_sentences(split: str) -> list[str]:
    """The sentences of the sample text that the forms of a split may hold: of eight, five train, one val, two test."""
    kinds = ("train", "test", "train", "val", "train", "test", "train", "train")
    return [sentence for index, sentence in enumerate(sample_text()) if kinds[index % len(kinds)] == split]


def sentences(split: str, rng: np.random.Generator) -> Iterator[str]:
    """Without end: a sentence of the text, then two of the grammar, and so on; the former begin anywhere."""
    own = own_sentences(split)
    start = int(rng.integers(len(own)))
    for index in range(start, start + 1_000_000):
        yield own[index % len(own)]
        yield assembled(rng)
        yield assembled(rng)


def assembled(rng: np.random.Generator) -> str:
    """A sentence of the grammar."""

    def pick(choices: str | list[str]) -> str:
        return choices[int(rng.integers(len(choices)))]

    def number(low: int, high: int) -> int:
        return int(rng.integers(low, high))

    def letters(count: int) -> str:
        return "".join(pick(string.ascii_uppercase) for _ in range(count))

    name = f"{pick(FIRST_NAMES)} {pick(SURNAMES)}"
    initials = f"{letters(1)}. {letters(1)}. {pick(SURNAMES)}"
    other, place, town = pick(FIRST_NAMES), pick(PLACES), pick(PLACES)
    person, thing, where, trait = pick(PEOPLE), pick(THINGS), pick(WHERE), pick(TRAITS)
    deed = f"{pick(VERBS)} {thing}"
    day, date = pick(DAYS), f"{number(1, 31)} {pick(MONTHS)} {number(1800, 2030)}"
    clock = f"{number(1, 13)}:{number(10, 60)}"
    code = f"{letters(2)}{number(1, 100)}/{number(0, 1000)}-{letters(1)}"
    sums = f"{number(10, 1000)} + {number(10, 1000)}"
    patterns = (
        lambda: f"{person.capitalize()} {deed} {where}.",
        lambda: f"{name} {deed} {where}.",
        lambda: f"{day}, {date}: {person} {deed}.",
        lambda: f'"Is {other} {trait}?" asked {initials}.',
        lambda: f'"{other}!" cried {name}; "{person} {deed}!"',
        lambda: f"{initials} ({place}) {deed}.",
        lambda: f"{surname_firm()}, {number(1, 400)} {town} Road, {place}.",
        lambda: f"Train {code} to {place} leaves at {clock}.",
        lambda: f"Why was {other} {trait}, and {pick(FIRST_NAMES)} not?",
        lambda: f"Room #{number(1, 1000)} is for {name} & {other}.",
        lambda: f"{place}: {sums} * {number(2, 100)} (see {letters(3)}, p. {number(1, 1000)}).",
        lambda: f"{other}'s {pick(['house', 'dog', 'boat', 'bag', 'cap'])} wasn't {pick(['old', 'big', 'lost', 'wet'])};"
        f" {pick(FIRST_NAMES)}'s was.",
        lambda: f"Ask {letters(3)}, {letters(3)} or {letters(2)} for {thing}.",
        lambda: f"{other} left {place} for {town} at {clock} on {day}.",
        lambda: f"* {thing}: {number(1, 100)}.{number(10, 100)} + {number(1, 10)}/{number(2, 10)}",
        lambda: f"What a {pick(['day', 'noise', 'joke', 'quiz', 'view'])}! {name} {deed}.",
    )

    def surname_firm() -> str:
        return f"{pick(SURNAMES)} & {pick(SURNAMES)}"

    return patterns[int(rng.integers(len(patterns)))]()


def broken_into_lines(text: str, length: int) -> list[str]:
    """Break at blanks into lines of at most `length` characters."""
    return textwrap.wrap(text, length, break_long_words=False, break_on_hyphens=False)


def words_and_marks(line: str) -> list[tuple[int, str]]:
    """The words of a line as IAM has them, with where they begin: marks before and after a word are words too."""
    found = []
    for token in re.finditer(r"\S+", line):
        for part in re.finditer(r'^["(#]|(?<=["(#])["(#]|[.,;:!?")](?=[.,;:!?")]*$)|.+?(?=[.,;:!?")]*$)', token[0]):
            found.append((token.start() + part.start(), part[0]))
    return found
