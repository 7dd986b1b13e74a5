"""Whether kinds differ: the figures of scipy's own test, and nothing where nothing can be told."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.statistics.kinds import FEWEST_IN_A_KIND, chance_of_such_kinds

GAINS = st.lists(st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]), min_size=FEWEST_IN_A_KIND, max_size=30)


@given(st.lists(GAINS, min_size=2, max_size=5))
def test_the_chance_is_that_of_kruskal_and_wallis(groups: list[list[float]]) -> None:
    found = chance_of_such_kinds([np.array(group) for group in groups])
    if len({gain for group in groups for gain in group}) == 1:
        assert found is None
    else:
        assert found == pytest.approx(float(scipy.stats.kruskal(*groups).pvalue), abs=1e-9)


def test_kinds_that_lie_apart_are_unlikely_by_chance_and_few_questions_are_no_kind() -> None:
    low, high = np.linspace(-1, 0, 20), np.linspace(0.5, 1, 20)
    apart = chance_of_such_kinds([low, high])
    assert apart is not None and apart < 1e-6
    assert chance_of_such_kinds([low, high[: FEWEST_IN_A_KIND - 1]]) is None
    assert chance_of_such_kinds([low, high, high[:2]]) == apart, "left out"


def test_kinds_of_one_world_differ_as_often_as_chance_says() -> None:
    generator = np.random.default_rng(3)
    drawn = [
        chance_of_such_kinds(np.split(generator.choice([-1.0, 0.0, 0.0, 1.0, 2.0], 40), [13, 26])) for _ in range(1_000)
    ]
    assert 0.03 < np.mean([chance is not None and chance < 0.05 for chance in drawn]) < 0.07


def test_gains_that_differ_through_floating_point_alone_are_equal() -> None:
    thirds = [np.full(20, 5 / 3 - 4 / 3), np.full(20, 8 / 3 - 7 / 3)]
    assert thirds[0][0] != thirds[1][0]
    assert chance_of_such_kinds(thirds) is None
