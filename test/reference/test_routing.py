"""The routing of the reference on cases worked out by hand."""

import numpy as np
import pytest

from routing import Rule, Scoring, descending, route, sigmoid, softmax

NAN, INF = np.nan, np.inf


def logits_of(*scores: float) -> np.ndarray:
    """Router outputs [1, E] whose softmax is `scores` (that sum to 1)."""
    return np.log(np.array([scores]))


def test_softmax_without_normalisation() -> None:
    result = route(logits_of(0.1, 0.5, 0.15, 0.25), Rule(2, Scoring.SOFTMAX))
    assert result.ids.tolist() == [[1, 3]]
    np.testing.assert_allclose(result.weights, [[0.5, 0.25]])
    np.testing.assert_allclose(result.margin, [0.1])


def test_normalisation_and_scale() -> None:
    rule = Rule(2, Scoring.SOFTMAX, normalize=True, scale=3.0)
    np.testing.assert_allclose(route(logits_of(0.1, 0.5, 0.15, 0.25), rule).weights, [[2.0, 1.0]])


def test_softmax_after_selection() -> None:
    result = route(np.array([[1.0, 3.0, 3.0 + np.log(3), -2.0]]),
                   Rule(2, Scoring.SOFTMAX_AFTER_TOPK))
    assert result.ids.tolist() == [[2, 1]]
    np.testing.assert_allclose(result.weights, [[0.75, 0.25]])
    np.testing.assert_allclose(result.margin, [2.0])


def test_selection_bias_changes_selection_only() -> None:
    logits = np.array([[0.0, np.log(3), -1.0]])
    bias = np.array([0.5, 0.0, 0.0])
    result = route(logits, Rule(1, Scoring.SIGMOID), bias)
    assert result.ids.tolist() == [[0]]
    np.testing.assert_allclose(result.weights, [[0.5]])
    np.testing.assert_allclose(result.margin, [1.0 - 0.75])


def test_groups() -> None:
    """The best single expert lies in a group whose two best are worse than another's."""
    scores = np.array([0.90, 0.10, 0.05, 0.60, 0.59, 0.01, 0.50, 0.20, 0.30])
    logits = np.log(scores / (1 - scores))[None]
    rule = Rule(2, Scoring.SIGMOID, groups=3, groups_used=1)
    result = route(logits, rule)
    assert result.ids.tolist() == [[3, 4]]
    # Group scores are 1.00, 1.19, 0.80; within the group, 0.59 against 0.01.
    np.testing.assert_allclose(result.margin, [0.19])
    two = route(logits, Rule(2, Scoring.SIGMOID, groups=3, groups_used=2))
    assert two.ids.tolist() == [[0, 3]]
    np.testing.assert_allclose(two.margin, [0.01])


def test_groups_by_their_best() -> None:
    """The same scores: the best single expert wins for its group."""
    scores = np.array([0.90, 0.10, 0.05, 0.60, 0.59, 0.01, 0.50, 0.20, 0.30])
    logits = np.log(scores / (1 - scores))[None]
    rule = Rule(2, Scoring.SIGMOID, groups=3, groups_used=1, best_group=True)
    result = route(logits, rule)
    assert result.ids.tolist() == [[0, 1]]
    # Group scores are 0.90, 0.60, 0.50; within the group, 0.10 against 0.05.
    np.testing.assert_allclose(result.margin, [0.05])


def test_ties_go_to_the_lower_id() -> None:
    result = route(np.zeros((1, 6)), Rule(3, Scoring.SOFTMAX))
    assert result.ids.tolist() == [[0, 1, 2]]
    assert result.margin.tolist() == [0.0]


def test_tied_groups_go_to_the_lower_group() -> None:
    result = route(np.zeros((1, 8)), Rule(2, Scoring.SIGMOID, groups=4, groups_used=2))
    assert result.ids.tolist() == [[0, 1]]


def test_order_of_nan_and_infinity() -> None:
    assert descending(np.array([NAN, 1.0, INF, NAN, -INF, 1.0])).tolist() == [2, 1, 5, 4, 0, 3]


def test_signed_zeros_tie() -> None:
    assert descending(np.array([-0.0, 0.0, -0.0])).tolist() == [0, 1, 2]


def test_sum_of_zero_gives_weights_of_zero() -> None:
    result = route(np.full((1, 4), -INF), Rule(2, Scoring.SIGMOID, normalize=True, scale=2.5))
    assert result.weights.tolist() == [[0.0, 0.0]]


def test_no_expert_is_rejected() -> None:
    assert route(np.zeros((1, 2)), Rule(2, Scoring.SOFTMAX)).margin.tolist() == [INF]


def test_follows_only_where_the_margin_is_small() -> None:
    logits = np.array([[2.0, 1.0, 0.0], [1.0, 1.0 + 1e-6, 0.0]])
    follow = np.array([[2], [0]])
    result = route(logits, Rule(1, Scoring.SOFTMAX_AFTER_TOPK), follow=follow)
    assert result.ids.tolist() == [[0], [0]]
    everywhere = route(logits, Rule(1, Scoring.SOFTMAX), follow=follow, follow_below=INF)
    assert everywhere.ids.tolist() == [[2], [0]]
    np.testing.assert_allclose(everywhere.weights[0], softmax(logits)[0, 2])


@pytest.mark.parametrize("x", [-800.0, -1.0, 0.0, 1.0, 800.0])
def test_sigmoid_does_not_overflow(x: float) -> None:
    with np.errstate(all="raise", under="ignore"):
        assert sigmoid(np.array(x)) == pytest.approx(1 / (1 + np.exp(min(-x, 700))), abs=1e-300)


def test_softmax_does_not_overflow() -> None:
    np.testing.assert_allclose(softmax(np.array([1000.0, 1000.0, -1000.0])), [0.5, 0.5, 0])
