import pytest

from textrec.base.edit_distance import char_errors, right_share, right_tokens, word_errors


def test_errors() -> None:
    assert char_errors("kitten", "sitting") == 3
    assert char_errors("", "ab") == 2
    assert word_errors("the cat sat", "the bat sat down") == 2


@pytest.mark.parametrize(
    ("read", "truth", "right"),
    [
        ("the cat", "the cat", [1] * 8),
        ("tke cat", "the cat", [1, 0, 1, 1, 1, 1, 1, 1]),
        ("thhe", "the", [1, None, None, 1, 1]),
        ("the", "the cat", [1, 1, 1, 0]),
        ("the catx", "the cat", [1] * 7 + [0, 1]),
        ("", "", [1]),
        ("", "ab", [0]),
    ],
)
def test_what_is_right_of_a_reading(read: str, truth: str, right: list[int | None]) -> None:
    found = right_tokens(truth, read).tolist()
    assert [f for f, r in zip(found, right, strict=True) if r is not None] == [bool(r) for r in right if r is not None]


def test_the_share_that_is_right() -> None:
    assert right_share("the cot", "the cat") == pytest.approx(6 / 7)
    assert right_share("a", "something else") == 0
    assert (right_share("", ""), right_share("", "a")) == (1, 0)
