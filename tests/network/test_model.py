import pytest
import torch
from networks import CHARSET, SIZES, batch, config, cut, recognizer

from textrec.base.charset import END, PAD, SPECIALS, START
from textrec.base.runtime import TextrecError
from textrec.network.decoding import greedy, within_lines
from textrec.network.model import FADE, REACH, Encoded, ResNetTransformer, fading, line_of_positions, places


@torch.inference_mode()
def recompute(model: ResNetTransformer, encoded: Encoded) -> list[list[int]]:
    """Greedy decoding of each row by itself, the whole prefix anew for every token."""
    rows = []
    for index in range(len(encoded.memory)):
        one = Encoded(*(part[index : index + 1] for part in encoded))
        tokens = [START]
        while tokens[-1] != END and len(tokens) <= int(one.limit):
            text = torch.tensor([tokens])
            lines = places(text, model.newline)[..., 0]
            log_probs = within_lines(model.decode(one, text), lines, one.line_count, model.newline)
            tokens.append(int(log_probs[0, -1].argmax()))
        rows.append(tokens[1:])
    return rows


@pytest.mark.parametrize("seed", [0, 1, 3, 4])
def test_cached_decoding_gives_what_recomputing_the_prefix_gives(seed: int) -> None:
    model = recognizer(seed).model
    encoded = model.encode(batch(SIZES), SIZES)
    tokens, scores = greedy(model, encoded)
    expected = recompute(model, encoded)
    # An untrained network may well write <PAD> itself, so only what follows the expected row must be padding.
    for row, truth in zip(tokens.tolist(), expected, strict=True):
        assert row[: len(truth)] == truth
        assert set(row[len(truth) :]) <= {PAD}
    assert len({len(row) for row in expected}) > 1
    assert (scores <= 0).all()
    assert all(not scores[index, len(row) :].any() for index, row in enumerate(expected))


def test_an_image_is_read_alike_alone_and_in_any_batch() -> None:
    model = recognizer(1).model
    together, _ = greedy(model, model.encode(batch(SIZES), SIZES))
    for index, size in enumerate(SIZES):
        alone, _ = greedy(model, model.encode(batch(size[None]), size[None]))
        assert cut(alone[0].tolist()) == cut(together[index].tolist())


def test_a_row_ends_at_its_own_limit() -> None:
    model = recognizer().model
    torch.nn.init.zeros_(model.output.weight)
    torch.nn.init.zeros_(model.output.bias)
    with torch.no_grad():
        model.output.bias[len(SPECIALS)] = 9.0  # always the same character, never the end of a line
    tokens, _ = greedy(model, model.encode(batch(SIZES), SIZES))
    columns = [config().resnet.output_size(*size)[1] for size in SIZES.tolist()]
    lines = [1, 1, 2, 1, 1]
    expected = [min(n * c + 1, config().max_length - 1) for n, c in zip(lines, columns, strict=True)]
    assert (tokens != PAD).sum(1).tolist() == expected


@pytest.mark.parametrize(("newline", "end"), [(4.0, 2.0), (2.0, 4.0)])
def test_a_text_has_as_many_lines_as_its_image_is_high(newline: float, end: float) -> None:
    """A network that always writes newlines would write on, and one that always ends, end too early."""
    model = recognizer().model
    torch.nn.init.zeros_(model.output.weight)
    torch.nn.init.zeros_(model.output.bias)
    with torch.no_grad():
        model.output.bias[CHARSET.newline], model.output.bias[END] = newline, end
    tokens, _ = greedy(model, model.encode(batch(SIZES), SIZES))
    assert [cut(row) for row in tokens.tolist()] == [[*[CHARSET.newline] * n, END] for n in (0, 0, 1, 0, 0)]


def test_the_decoder_does_not_look_ahead() -> None:
    model = recognizer().model
    encoded = model.encode(batch(SIZES[:1]), SIZES[:1])
    one, other = torch.tensor([[START, 4, 5, 6]]), torch.tensor([[START, 4, 7, 8]])
    torch.testing.assert_close(model.decode(encoded, one)[:, :2], model.decode(encoded, other)[:, :2])
    assert not torch.allclose(model.decode(encoded, one)[:, 2:], model.decode(encoded, other)[:, 2:])


def test_a_line_is_written_as_if_it_were_the_only_one() -> None:
    model = recognizer().model
    encoded = model.encode(batch(SIZES[2:3]), SIZES[2:3])  # two lines high
    newline = CHARSET.newline
    one, other, longer = (torch.tensor([[START, *above, newline, 5, 6]]) for above in ([4], [7], [4, 7]))
    after = [model.decode(encoded, text)[:, -3:] for text in (one, other, longer)]
    torch.testing.assert_close(after[0], after[1])
    torch.testing.assert_close(after[0], after[2])
    below = torch.tensor([[START, newline, newline, 5, 6]])
    assert not torch.allclose(after[0], model.decode(encoded, below)[:, -3:])


def test_a_token_looks_near_its_line() -> None:
    lines = line_of_positions(config(), 28, rows=9, columns=2)
    assert lines.shape == (18,)
    assert (lines[::2] == lines[1::2]).all()
    assert lines[0].abs() < 0.25
    scores = fading(lines[None], torch.tensor([[0, 1]]))
    assert scores.shape == (1, 1, 2, 18)
    away = (lines - torch.arange(2)[:, None]).abs()
    assert ((scores[0, 0] == 0) == (away <= REACH)).all()
    assert scores[0, 0][away > REACH + 1].max() < -FADE


def test_the_text_depends_on_where_in_the_image_things_are() -> None:
    model = recognizer().model
    image = batch(SIZES[:1])
    moved = image.roll(16, dims=-1)
    encoded = [model.encode(x, SIZES[:1]).memory.sum(1) for x in (image, moved)]
    assert not torch.allclose(*encoded)


@torch.inference_mode()
def test_ctc_reads_an_image_alike_alone_and_in_any_batch() -> None:
    model = recognizer(1).model
    together = model.encode(batch(SIZES), SIZES)
    steps = model.ctc(together)
    for index, size in enumerate(SIZES):
        alone = model.encode(batch(size[None]), size[None])
        count = int(alone.step_count)
        assert together.step_count[index] == count
        torch.testing.assert_close(steps[index, :count], model.ctc(alone)[0], atol=1e-5, rtol=1e-4)


def test_a_line_is_one_row_of_positions_and_windows_slide_down_a_paragraph() -> None:
    model = recognizer().model  # 4 rows of features a line
    for height, rows in ((28, 1), (8, 1), (29, 1), (33, 2), (56, 4), (64, 5)):
        size = torch.tensor([[height, 40]])
        assert model.encode(batch(size), size).step_count.tolist() == [rows * 10]


def test_each_line_of_a_text_has_places_of_its_own() -> None:
    newline = CHARSET.newline
    tokens = torch.tensor([[START, 4, 5, newline, 4, newline, newline, 6], [START, 4, 5, 6, 7, END, PAD, PAD]])
    assert places(tokens, newline)[0].tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [2, 0], [3, 0], [3, 1]]
    assert places(tokens, newline)[1].tolist() == [[0, place] for place in range(8)]
    assert torch.equal(places(tokens, -1)[0], places(tokens, -1)[1])


def test_positions_are_learned_where_asked_for() -> None:
    for learned in (True, False):
        model = recognizer(learned_positions=learned).model
        assert {model.row_position.requires_grad, model.token_position.requires_grad} == {learned}


def test_the_original_small_network_is_reachable_by_parameters_alone() -> None:
    table = {
        "channels": [4, 4, 8, 8, 16, 16, 32, 32, 64],
        "kernels": [5, 3, 3, 3, 3, 3, 3, 3, 3],
        "strides": [2, 1, 2, 1, 2, 1, 2, 1, 2],
    }
    original = {"tf_dim": 64, "tf_fc_dim": 128, "tf_heads": 4, "tf_layers": 4, "ctc_weight": 0.0, "max_width": 800}
    model = ResNetTransformer(config(resnet=table, **original), vocabulary=83, line_height=28).eval()
    assert [block.conv1.in_channels for block in model.resnet.blocks] == [1, 4, 4, 8, 8, 16, 16, 32, 32]
    assert model.config.resnet.output_size(28, 800) == (1, 25)
    tokens, _ = greedy(model, model.encode(torch.zeros(1, 1, 28, 800, dtype=torch.uint8), torch.tensor([[28, 800]])))
    assert 1 <= tokens.shape[1] <= 26


def test_without_a_ctc_weight_there_is_no_ctc_head() -> None:
    model = recognizer(ctc_weight=0.0).model
    with pytest.raises(ValueError, match="no CTC head"):
        model.ctc(model.encode(batch(SIZES), SIZES))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tf_heads": 3}, "tf_dim 16 must be a multiple of 2 \\* tf_heads, 6"),
        ({"tf_dropout": 1.0}, "model.tf_dropout is 1.0: input should be less than 1"),
        ({"tf_layer": 1}, "model.tf_layer is not a parameter; did you mean 'tf_layers'"),
        ({"max_length": "88"}, "model.max_length is '88'"),
    ],
)
def test_impossible_parameters_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(TextrecError, match=message):
        config(**changes)
