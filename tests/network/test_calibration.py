import numpy as np
import pytest

from textrec.base.edit_distance import right_share
from textrec.network.calibration import Calibration


def test_the_identity_leaves_probabilities_as_they_are() -> None:
    one, two = Calibration.identity(1), Calibration.identity(2)
    probabilities = np.array([[0.2], [0.9], [1 - 1e-5]])
    assert one.of_characters(np.log(probabilities)) == pytest.approx(probabilities[:, 0])
    assert two.of_characters(np.log([[0.2, 0.8], [0.9, 0.9]])) == pytest.approx([0.5, 0.9])
    assert [one.of_text(mean) for mean in (0.0, 0.25, 1.0)] == pytest.approx([0.0, 0.25, 1.0], abs=1e-6)


def test_a_head_that_is_sure_or_rules_out_gives_a_number() -> None:
    found = Calibration.identity(2).of_characters(np.array([[0.0, 0.0], [-1e30, 0.0], [-1e30, -1e30]]))
    assert found == pytest.approx([1.0, 0.5, 0.0], abs=1e-6)


def test_a_fit_finds_the_map_that_made_the_data() -> None:
    random = np.random.default_rng(0)
    truth = Calibration((-1.0, 0.6, 0.3), (15.0, 0.0), (0.0, 1.0))
    texts = []
    for _ in range(400):
        log_probs = np.log(random.uniform(0.05, 0.999, (41, 2)))
        right = random.random(40) < truth.of_characters(log_probs)[:40]
        texts.append((log_probs, "a" * 40, "".join(np.where(right, "a", "b"))))
    fitted = Calibration.fit(texts, [])
    points = np.log(random.uniform(0.1, 0.99, (200, 2)))
    assert fitted.of_characters(points) == pytest.approx(truth.of_characters(points), abs=0.05)
    means = np.array([fitted.of_characters(log_probs).mean() for log_probs, *_ in texts])
    shares = np.array([right_share(truth, read) for _, truth, read in texts])
    assert np.mean([fitted.of_text(mean) for mean in means]) == pytest.approx(shares.mean(), abs=0.01)


def test_a_fit_to_next_to_nothing_stays_near_the_identity() -> None:
    fitted = Calibration.fit([(np.log([[0.9], [0.9]]), "a", "a")], [np.log([[0.8], [0.8]])])
    assert fitted.of_characters(np.log([[0.5], [0.9]])) == pytest.approx([0.5, 0.9], abs=0.1)
    assert np.isfinite([*fitted.characters, *fitted.readable, *fitted.text]).all()


def test_what_nobody_can_read_is_not_sure_and_what_can_be_read_stays_so() -> None:
    random = np.random.default_rng(0)
    read = [(np.log(random.uniform(0.96, 0.999, (31, 1))), "a" * 30, "a" * 30) for _ in range(100)]
    nonsense = [np.log(random.uniform(0.4, 0.98, (31, 1))) for _ in range(100)]
    fitted = Calibration.fit(read, nonsense)

    def sure(log_probs: np.ndarray) -> float:
        return fitted.of_text(fitted.of_characters(log_probs).mean())

    assert np.mean([sure(log_probs) for log_probs, *_ in read]) > 0.95
    assert max(sure(log_probs) for log_probs in nonsense) < 0.3
    assert Calibration.fit(read, []).of_text(0.75) > 0.7  # as they were without
