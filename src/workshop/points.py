"""The data sets of the workshop: labelled points in the plane, drawn from a seeded generator.

Every function returns ``(X, y)``: X is (N, 2), a point in each row; y is (N,), labels 0 and 1, the same number of
each. ``rng`` is a ``numpy.random.Generator`` or a seed. ``noise`` is the standard deviation of the normal noise, in
the units of X.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Seed = np.random.Generator | int

S_CENTRES = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 8.0], [3.0, 12.0]])
"""Centres of the four blobs of class 0 in the S-shaped set, from the bottom of the S to its top."""


def s_shape(rng: Seed, gap: float = 3.0, noise: float = 1.0, per_blob: int = 10) -> tuple[Floats, Floats]:
    """Two S-shaped classes: four blobs each, class 1 shifted by ``gap`` along the first axis. 80 points by default."""
    centres = np.concatenate([S_CENTRES, S_CENTRES + np.array([gap, 0.0])])
    X = np.repeat(centres, per_blob, axis=0)
    return _noisy(rng, X, _labels(4 * per_blob), noise)


def blobs(rng: Seed, n: int = 80, noise: float = 1.0) -> tuple[Floats, Floats]:
    """Two round blobs that a straight line separates, centred 4 apart."""
    y = _labels(n // 2)
    X = np.where(y[:, None] == 0, [-2.0, 0.0], [2.0, 0.0])
    return _noisy(rng, X, y, noise)


def moons(rng: Seed, n: int = 80, noise: float = 0.15) -> tuple[Floats, Floats]:
    """Two half circles of radius 1, each reaching into the other."""
    y = _labels(n // 2)
    angle = np.tile(np.linspace(0.0, np.pi, n // 2), 2)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    lower = np.column_stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)])
    return _noisy(rng, np.where(y[:, None] == 0, upper, lower), y, noise)


def circles(rng: Seed, n: int = 80, noise: float = 0.15) -> tuple[Floats, Floats]:
    """A ring of radius 1 (class 1) inside a ring of radius 2 (class 0)."""
    y = _labels(n // 2)
    angle = np.tile(np.linspace(0.0, 2.0 * np.pi, n // 2, endpoint=False), 2)
    radius = np.where(y == 0, 2.0, 1.0)
    return _noisy(rng, radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), y, noise)


def xor(rng: Seed, n: int = 80, noise: float = 0.4) -> tuple[Floats, Floats]:
    """Four blobs at the corners of a square of side 2: opposite corners share a class."""
    y = _labels(n // 2)
    side = np.tile([-1.0, 1.0], n)[:n]
    return _noisy(rng, np.column_stack([side, np.where(y == 0, side, -side)]), y, noise)


def spiral(rng: Seed, n: int = 80, noise: float = 0.1) -> tuple[Floats, Floats]:
    """Two arms of one and a half turns, one the other turned by half a circle."""
    y = _labels(n // 2)
    along = np.tile(np.linspace(0.1, 1.0, n // 2), 2)
    angle = 3.0 * np.pi * along + np.pi * y
    return _noisy(rng, 2.0 * along[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), y, noise)


def small_network() -> tuple[dict[str, Any], Floats, Floats, dict[str, Floats]]:
    """A network of 3 inputs and 4 hidden units, 5 points with their labels, and what a right forward pass gives there.

    Returns (params, X, y, cache).
    """
    V = np.array([[0.5, -1.0, 0.3, 1.2], [1.0, 0.25, -0.7, 0.4], [-0.5, 0.75, 0.6, -0.9]])
    params = {"V": V, "c": np.array([0.1, -0.2, 0.4, 0.7]), "w": np.array([1.5, -0.5, 0.8, -1.1]), "b": 0.3}
    X = np.array([[1.0, 2.0, -0.5], [-1.0, 0.5, 2.0], [0.5, -1.5, 1.0], [2.0, 1.0, 0.0], [-0.5, -1.0, 1.5]])
    t = [2.85, -1.075, -1.0, 3.15, -0.9, 2.425, 0.95, -2.1, -1.65, -0.325, 2.2, -0.2, 2.1, -1.95, 0.3, 3.5]
    h = [
        [0.945318682784, 0.254453385874, 0.26894142137, 0.9589087218],
        [0.289050497375, 0.918713920386, 0.721115178023, 0.109096821196],
        [0.161108949577, 0.419457695179, 0.90024951088, 0.450166002688],
        [0.890903178804, 0.124553358187, 0.574442516812, 0.970687769249],
        [0.130108474363, 0.764047599797, 0.864127102991, 0.161108949577],
    ]
    cache = {
        "t": np.reshape([*t, -1.9, 1.175, 1.85, -1.65], (5, 4)),
        "h": np.array(h),
        "s": np.array([0.751104874356, 0.731104424972, 0.556951582523, 0.965875556389, 0.627220749504]),
        "y_hat": np.array([0.679419398091, 0.675047584235, 0.635746902325, 0.724296645846, 0.651859008796]),
    }
    return params, X, np.array([0.0, 0.0, 1.0, 0.0, 1.0]), cache


def standardise(X: Floats, like: Floats | None = None) -> Floats:
    """X with each column shifted and scaled so that ``like`` (by default X itself) has mean 0 and deviation 1.

    New points are standardised like the training points, never like themselves: else the model would see them shifted.
    """
    like = X if like is None else like
    return (X - like.mean(axis=0)) / like.std(axis=0)


def _labels(per_class: int) -> Floats:
    return np.repeat([0.0, 1.0], per_class)


def _noisy(rng: Seed, X: Floats, y: Floats, noise: float) -> tuple[Floats, Floats]:
    return X + noise * np.random.default_rng(rng).standard_normal(X.shape), y
