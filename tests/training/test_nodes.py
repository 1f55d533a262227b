"""Training that several nodes share: each a launcher of its own on loopback, in one folder, as nodes share a disk."""

import os
import socket
import subprocess
from pathlib import Path

import psutil
import pytest
from holding import hold, wait_for
from training_folder import Folder

STEP = "textrec.training.lightning_module:Training.training_step"
BATCHES = 4  # of an epoch
STILL = {"token_noise": 0.0, "recombine": 0.0, "lr": 0.003, "model": {"tf_dropout": 0.0}}
TOGETHER = {"num_nodes": 2, "devices": 1, "strategy": "ddp", "accelerator": "cpu"}


def start(folder: Folder, port: int, before: str = "") -> "subprocess.Popen[str]":
    """A node, as torchrun begins one."""
    where = ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=test"]
    launcher = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", *where]
    return folder.start(before, by=launcher)


def kill(node: "subprocess.Popen[str]") -> None:
    """What a node that fails leaves: nothing."""
    for process in [*psutil.Process(node.pid).children(recursive=True), node]:
        process.kill()
    node.communicate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A run of one process."""
    folder = Folder(tmp_path_factory.mktemp("alone"), **STILL)
    folder.finish(folder.start())
    return folder


def test_two_nodes_share_the_work_and_go_on_after_one_is_killed(alone: Folder, tmp_path: Path) -> None:
    folder, port = Folder(tmp_path, **STILL, trainer=TOGETHER), free_port()
    nodes = [start(folder, port, hold(STEP, 2 * BATCHES + 2, tmp_path / f"reached{os.getpid()}")) for _ in range(2)]
    wait_for(tmp_path / f"reached{os.getpid()}", nodes[0])
    for node in nodes:
        kill(node)
    assert (tmp_path / "checkpoints").exists()
    folder.take_outputs()
    port = free_port()
    nodes = [start(folder, port) for _ in range(2)]
    outputs = [folder.finish(node) for node in nodes]
    assert sum("going on from" in output for output in outputs) == 1
    assert sum(output.count("epoch 3: val CER") for output in outputs) == 1
    one, two = alone.measures(), folder.measures()
    assert two["val/loss"] == pytest.approx(one["val/loss"], rel=0.1)
    assert two["val/cer"] == pytest.approx(one["val/cer"], abs=0.1)


def test_a_node_that_is_lost_ends_the_others_with_one_line(tmp_path: Path) -> None:
    folder, port = Folder(tmp_path, **STILL, trainer=TOGETHER), free_port()
    reached = [tmp_path / "first", tmp_path / "second"]
    nodes = [start(folder, port), start(folder, port, hold(STEP, BATCHES + 2, reached[1]))]
    wait_for(reached[1], nodes[1])
    kill(nodes[1])
    output = nodes[0].communicate(timeout=240)[0]
    assert nodes[0].returncode != 0
    assert "error: another process of this training is lost; run the same command again on all nodes" in output
