"""Scrambled Sobol points and normal quantiles."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from ingest.traffic.simulation.sobol import DIMENSIONS, directions, log_sd, normal, sobol


@pytest.mark.parametrize("dimension", range(DIMENSIONS))
def test_every_dimension_fills_each_stratum_once(dimension):
    points = sobol(256, DIMENSIONS, seed=3)[:, dimension]
    assert sorted((points * 256).astype(int).tolist()) == list(range(256))


def test_pairs_are_spread_over_the_square():
    # The first two dimensions of a Sobol sequence are a (0, m, 2)-net: one point in every
    # elementary box, here 16 x 16 for 256 points. Scrambling keeps that.
    points = sobol(256, 2, seed=9)
    cells = {(int(x * 16), int(y * 16)) for x, y in points}
    assert len(cells) == 256


def test_unscrambled_directions_are_those_published():
    # Second dimension 1/2, 3/4 ...: its direction numbers 1, 3, 5, 15, 17 (shifted).
    v = directions(1)
    assert [int(v[k]) >> (31 - k) for k in range(5)] == [1, 3, 5, 15, 17]


def test_same_seed_same_points_and_another_seed_others():
    assert (sobol(64, 5, 1) == sobol(64, 5, 1)).all()
    assert not (sobol(64, 5, 1) == sobol(64, 5, 2)).any()


def test_more_dimensions_than_tabulated_are_stratified_too():
    points = sobol(128, DIMENSIONS + 2, seed=0)
    assert sorted((points[:, -1] * 128).astype(int).tolist()) == list(range(128))
    assert points.min() > 0
    assert points.max() < 1


def test_normal_quantiles():
    u = np.array([1e-6, 0.01, 0.1, 0.5, 0.9, 0.975, 1 - 1e-6])
    want = [NormalDist().inv_cdf(float(x)) for x in u]
    assert normal(u) == pytest.approx(want, abs=1e-8)


def test_log_sd_of_a_range():
    sd = log_sd(50, 200)
    assert np.exp(sd * NormalDist().inv_cdf(0.9)) == pytest.approx(2)
