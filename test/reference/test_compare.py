"""The measure by which outputs are judged."""

from pathlib import Path

import numpy as np
import pytest

import compare
from compare import contribution_error, routing_differences


def test_the_residual_does_not_hide_errors() -> None:
    hidden = np.full((2, 4), 1000.0)
    expected = hidden + np.array([[1.0], [2.0]])
    actual = expected + np.array([[0.1], [0.1]])
    error = contribution_error(hidden, expected, actual)
    assert error.nmse == pytest.approx(0.02 / 5)
    assert error.worst_token == pytest.approx(0.01)


def test_equal_outputs() -> None:
    hidden = np.zeros((3, 2))
    assert contribution_error(hidden, hidden, hidden).nmse == 0  # no contribution, no error
    assert contribution_error(hidden[:0], hidden[:0], hidden[:0]).nmse == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite_is_an_infinite_error(bad: float) -> None:
    hidden, expected = np.zeros((2, 2)), np.ones((2, 2))
    actual = expected.copy()
    actual[1, 0] = bad
    error = contribution_error(hidden, expected, actual)
    assert error.nmse == error.worst_token == np.inf


def test_error_without_contribution_is_infinite() -> None:
    hidden = np.zeros((1, 2))
    assert contribution_error(hidden, hidden, hidden + 1e-9).nmse == np.inf


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        contribution_error(np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="the reference has"):
        routing_differences(np.zeros((2, 2)), np.zeros((2, 3)), np.zeros(2))


def test_routing_is_compared_as_sets_and_above_the_margin() -> None:
    expected = np.array([[1, 2], [1, 2], [1, 2]])
    actual = np.array([[2, 1], [1, 3], [1, 3]])
    margin = np.array([1.0, 1e-6, 1e-3])
    assert routing_differences(expected, actual, margin).tolist() == [2]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """x.npy, ref.npz, ref.npy and y.npy with an error of 1e-4."""
    hidden = np.zeros((2, 2), dtype=np.float32)
    np.save(tmp_path / "x.npy", hidden)
    np.save(tmp_path / "ref.npy", np.ones((2, 2)))
    np.savez(tmp_path / "ref.npz", output=np.ones((2, 2)), ids=np.array([[0, 1], [2, 3]]),
             margin=np.ones(2))
    np.save(tmp_path / "y.npy", np.full((2, 2), 1.01))
    np.save(tmp_path / "same.npy", np.array([[1, 0], [2, 3]]))
    np.save(tmp_path / "other.npy", np.array([[1, 0], [2, 4]]))
    return tmp_path


def run(files: Path, *options: str, reference: str = "ref.npz") -> int:
    return compare.main(["--input", str(files / "x.npy"), "--reference", str(files / reference),
                         "--output", str(files / "y.npy"), *options])


@pytest.mark.parametrize("limit, status", [([], 0), (["--max-nmse", "1.1e-4"], 0),
                                           (["--max-nmse", "0.9e-4"], 1)])
@pytest.mark.parametrize("reference", ["ref.npz", "ref.npy"])
def test_limit(files: Path, limit: list[str], status: int, reference: str,
               capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files, *limit, reference=reference) == status
    assert capsys.readouterr().out == "nmse=1.000e-04 worst_token=1.000e-04 tokens=2\n"


@pytest.mark.parametrize("ids, status, text", [("same.npy", 0, "routing=equal"),
                                               ("other.npy", 1, "routing=1_differ")])
def test_routing(files: Path, ids: str, status: int, text: str,
                 capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files, "--ids", str(files / ids)) == status
    assert text in capsys.readouterr().out


def test_reference_without_routing(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files, "--ids", str(files / "same.npy"), reference="ref.npy") == 1
    assert "has no routing" in capsys.readouterr().err


def test_missing_file(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "y.npy").unlink()
    assert run(files) == 1
    assert "y.npy" in capsys.readouterr().err
