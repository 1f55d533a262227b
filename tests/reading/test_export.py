import json
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from networks import CHARSET, FIRST, SIZES, batch, cut, model, recognizer
from repository import ROOT
from torch import Tensor

from textrec.base.charset import START
from textrec.base.runtime import TextrecError
from textrec.network.decoding import Network, ctc_greedy, greedy, joint_search
from textrec.network.language import LanguageModel
from textrec.network.model import Encoded, ResNetTransformer
from textrec.reading.export import export
from textrec.reading.onnx_network import OnnxNetwork
from textrec.reading.recognizer import Recognizer

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

# Each block takes seconds to export.
SMALL = {"resnet": {"channels": [8], "kernels": [3], "strides": [[8, 4]]}}
LINES = SMALL | {"lstm_layers": 0, "tf_layers": 1, "ctc_weight": 0.0, "max_height": 28}  # no CTC head, no paragraphs

LANGUAGE = LanguageModel.fit([CHARSET.encode("a bad cab")], vocabulary=len(CHARSET), order=4)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[ResNetTransformer, Path]:
    """A network, in float32 and left as it was, and its export."""
    network, path = model(2, **SMALL), tmp_path_factory.mktemp("export") / "model.zip"
    names = list(network.state_dict())
    export(Recognizer(network.train(), CHARSET, language=LANGUAGE), path)
    assert network.training
    assert list(network.state_dict()) == names
    return network.eval(), path


@pytest.fixture
def damaged(exported: tuple[ResNetTransformer, Path], tmp_path: Path) -> Path:
    """A copy to spoil."""
    (tmp_path / "model.zip").write_bytes(exported[1].read_bytes())
    return tmp_path / "model.zip"


def rewrite(path: Path, **members: bytes) -> None:
    """Replace members, named without their suffixes."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, old in content.items():
            archive.writestr(name, members.get(name.partition(".")[0], old))


def searches(network: Network, encoded: Encoded) -> dict[str, tuple[Tensor, Tensor]]:
    with torch.inference_mode():
        return {
            "ar": greedy(network, encoded),
            "ctc": ctc_greedy(network.ctc(encoded), encoded.step_count),
            "joint": joint_search(network, encoded, ctc_weight=0.4, language=LANGUAGE),
        }


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4], [0, 1], [2], [3], [1, 3, 4]])  # the third is a paragraph
def test_what_torch_reads_onnxruntime_reads(exported: tuple[ResNetTransformer, Path], rows: list[int]) -> None:
    network, path = exported
    sizes = SIZES[rows]
    found, _ = OnnxNetwork.load(path, threads=1)
    with torch.inference_mode():
        encoded, expected = (one.encode(batch(sizes), sizes) for one in (found, network))
        log_probs, truth = found.ctc(encoded), network.ctc(expected)
    for name in ("mask", "step_count", "limit"):
        assert torch.equal(getattr(encoded, name), getattr(expected, name))
    own = torch.arange(encoded.steps.shape[1]) < encoded.step_count[:, None]
    torch.testing.assert_close(log_probs[own], truth[own], atol=1e-4, rtol=1e-4)
    theirs = searches(network, expected)
    for name, (tokens, scores) in searches(found, encoded).items():
        assert tokens.tolist() == theirs[name][0].tolist()
        torch.testing.assert_close(scores, theirs[name][1], atol=1e-4, rtol=1e-4)


def test_an_image_is_read_alike_alone_and_in_any_batch(exported: tuple[ResNetTransformer, Path]) -> None:
    network, _ = OnnxNetwork.load(exported[1], threads=1)
    together = searches(network, network.encode(batch(SIZES), SIZES))
    for index, size in enumerate(SIZES):
        alone = searches(network, network.encode(batch(size[None]), size[None]))
        for name, (tokens, _) in alone.items():
            assert cut(tokens[0].tolist()) == cut(together[name][0][index].tolist())


def test_texts_of_several_lines_are_scored_alike(exported: tuple[ResNetTransformer, Path]) -> None:
    network, path = exported
    found, _ = OnnxNetwork.load(path, threads=1)
    newline, sizes = CHARSET.newline, SIZES[[2, 2]]
    tokens = torch.tensor([[START, FIRST, newline, FIRST + 1, FIRST], [START, newline, newline, FIRST, FIRST + 2]])
    with torch.inference_mode():
        log_probs, truth = (one.decode(one.encode(batch(sizes), sizes), tokens) for one in (found, network))
    torch.testing.assert_close(log_probs, truth.log_softmax(-1), atol=1e-4, rtol=1e-4)


def test_texts_longer_than_a_cache_grows_by_are_read_alike(exported: tuple[ResNetTransformer, Path]) -> None:
    network, path = exported
    found, _ = OnnxNetwork.load(path, threads=1)
    with torch.inference_mode():
        encoded, expected = (one.encode(batch(SIZES[:2]), SIZES[:2]) for one in (found, network))
        caches, theirs = (one.caches(part, 39) for one, part in ((found, encoded), (network, expected)))
        for step in range(39):
            tokens = torch.tensor([FIRST + step % 5, FIRST + step % 3])
            place = torch.tensor([[0, step], [step // 20, step % 20]])
            log_probs = found.next_token(tokens, place, step, caches, encoded.attention_mask())
            truth = network.next_token(tokens, place, step, theirs, expected.attention_mask())
            torch.testing.assert_close(log_probs, truth, atol=1e-4, rtol=1e-4)


def test_an_export_describes_itself_and_no_machine(exported: tuple[ResNetTransformer, Path]) -> None:
    network, path = exported
    found, content = OnnxNetwork.load(path)
    assert found.config == network.config
    assert found.line_height == network.line_height
    assert found.has_ctc
    assert content["language"].packed() == LANGUAGE.packed()
    assert content["characters"] == CHARSET.characters
    assert content["calibration"].keys() == {"ar", "ctc", "joint"}
    with zipfile.ZipFile(path) as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
        assert not any(str(ROOT).encode() in archive.read(name) for name in archive.namelist())


def test_lines_without_a_ctc_head(tmp_path: Path) -> None:
    built, sizes = recognizer(5, **LINES), SIZES[[0, 1, 3, 4]]
    export(built, tmp_path / "model.zip")
    network, _ = OnnxNetwork.load(tmp_path / "model.zip", threads=1)
    assert not network.has_ctc
    tokens, scores = greedy(network, network.encode(batch(sizes), sizes))
    with torch.inference_mode():
        truth, expected = greedy(built.model, built.model.encode(batch(sizes), sizes))
    assert tokens.tolist() == truth.tolist()
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=1e-4)
    assert len(set(tokens.flatten().tolist())) > 2


def test_a_missing_export(tmp_path: Path) -> None:
    with pytest.raises(TextrecError, match=r"none.zip: not found; run `textrec export`"):
        OnnxNetwork.load(tmp_path / "none.zip")


@pytest.mark.parametrize("content", [b"", b"not an export", None])
def test_a_damaged_export(damaged: Path, content: bytes | None) -> None:
    damaged.write_bytes(damaged.read_bytes()[:-3000] if content is None else content)
    with pytest.raises(TextrecError, match=r"model.zip: not a readable export \(.*\); export the model anew"):
        OnnxNetwork.load(damaged)


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_an_export_with_one_other_byte(damaged: Path, place: float) -> None:
    content = bytearray(damaged.read_bytes())
    content[int(place * len(content))] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(TextrecError, match=r"model.zip: not a readable export \(Bad CRC.*; export .* or get the"):
        OnnxNetwork.load(damaged)


def test_an_export_packed_as_nobody_packs(damaged: Path) -> None:
    content = damaged.read_bytes()
    at = content.index(b"PK\x01\x02") + 10  # the method of the first member in the directory
    damaged.write_bytes(content[:at] + b"\x01" + content[at + 1 :])
    with pytest.raises(TextrecError, match=r"model.zip: not a readable export \(That compression method is not"):
        OnnxNetwork.load(damaged)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    zipfile.ZipFile(tmp_path / "forms.zip", "w").close()
    with pytest.raises(TextrecError, match=r"forms.zip: not a readable export .*textrec.json"):
        OnnxNetwork.load(tmp_path / "forms.zip")


def test_an_export_with_a_damaged_graph(damaged: Path) -> None:
    rewrite(damaged, decoder=b"not a graph")
    with pytest.raises(TextrecError, match=r"model.zip: onnxruntime cannot run it \(.*\); export the model anew"):
        OnnxNetwork.load(damaged)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (b"{", "textrec.json in it is damaged"),
        (b"[]", "textrec.json in it is damaged"),
        (json.dumps({"format": 99}).encode(), "export format 99, this version reads 5; export the model anew"),
        (b'{"format": 5, "model": {}}', "lacks calibration, characters, line_height"),
    ],
)
def test_an_export_with_another_description(damaged: Path, description: bytes, message: str) -> None:
    rewrite(damaged, textrec=description)
    with pytest.raises(TextrecError, match=f"model.zip: .*{message}"):
        OnnxNetwork.load(damaged)


def test_without_onnxruntime(exported: tuple[ResNetTransformer, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(TextrecError, match=r"onnxruntime is not installed; run `pip install 'textrec\[onnx\]'`"):
        OnnxNetwork.load(exported[1])
