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


# Two problems for the notebooks' own tests. Their sizes, and what could be taken for one, are all different: N, N − 1,
# 2N, N/2, d, H, the number of points of class 1. And there are points of both classes on both sides of the boundary: so
# different mistakes give different numbers.


def small_problem() -> tuple[Floats, float, Floats, Floats]:
    """Seven points of five features with their labels, and weights: (w, b, X, y)."""
    X = [
        [-1.5, -0.5, 1.9, -0.5, 0.9],
        [0.1, 0.2, 1.8, -1.2, -1.7],
        [-0.8, -0.4, 0.8, 2.1, -1.4],
        [-1.1, -1.4, -0.1, -1.1, 1.3],
        [2.0, 0.6, -2.3, -0.2, 0.3],
        [-1.1, -0.5, -0.4, -1.6, -2.0],
        [-0.1, 1.4, -1.0, 0.5, -2.2],
    ]
    return np.array([0.6, -0.35, 1.2, -0.8, 0.5]), 0.3, np.array(X), np.array([0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0])


def small_network() -> tuple[dict[str, Any], Floats, Floats, dict[str, Floats]]:
    """A network of 5 inputs and 3 hidden units, 7 points with their labels, and what a right forward pass gives there.

    Returns (params, X, y, cache).
    """
    V = [
        [0.4, 0.5, -0.2],
        [-0.3, -0.3, 0.9],
        [0.9, -1.1, -0.6],
        [-1.2, 1.3, 0.8],
        [-0.5, -0.3, -0.5],
    ]
    params = {"V": np.array(V), "c": np.array([0.1, -0.2, 0.4]), "w": np.array([1.5, -0.9, 1.2]), "b": -0.7}
    X = [
        [2.0, -0.6, -0.8, 1.5, 1.7],
        [-0.3, 1.6, -1.1, 1.7, 1.8],
        [-1.1, 1.1, 0.5, -0.4, -1.0],
        [-0.8, 1.9, 0.1, 0.4, 0.2],
        [1.1, -0.6, 0.7, 1.3, -1.3],
        [-1.7, -0.4, 1.2, 1.0, -1.9],
        [-0.2, -1.9, 1.0, 0.7, -1.2],
    ]
    t = [
        [-2.29, 3.3, 0.29],
        [-4.43, 2.05, 3.02],
        [0.76, -1.85, 1.49],
        [-1.28, -0.82, 2.43],
        [0.44, 1.84, 0.91],
        [0.37, -0.38, 1.41],
        [1.25, 0.44, -0.71],
    ]
    h = [
        [0.091954549931, 0.964428810727, 0.571996132932],
        [0.011774206017, 0.88594761872, 0.953469525485],
        [0.681353733789, 0.135872897009, 0.81607827258],
        [0.217550223577, 0.305763659892, 0.919086532785],
        [0.608259030747, 0.862948707425, 0.713000162752],
        [0.591458978433, 0.406126897066, 0.803765943634],
        [0.777299861175, 0.608259030747, 0.329598840191],
    ]
    s = [-0.74365874524, -0.335528117241, 1.179038920472, 0.454041880804, 0.29133490474, 0.786193392651, 0.31403527232]
    y_hat = [
        0.32220459558,
        0.416896158166,
        0.764774955107,
        0.611599796463,
        0.57232290826,
        0.687013394333,
        0.577869918503,
    ]
    cache = {"t": np.array(t), "h": np.array(h), "s": np.array(s), "y_hat": np.array(y_hat)}
    return params, np.array(X), np.array([0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]), cache


def small_slopes() -> dict[str, Any]:
    """Finite differences of the objective of the small network by every parameter, with λ = 0.37."""
    V = [
        [0.014199211, 0.252849299, -0.125968184],
        [-0.077114442, -0.104184012, 0.31423239],
        [0.398845006, -0.460353967, -0.18364229],
        [-0.420943196, 0.464445004, 0.318387156],
        [-0.273857366, -0.038305742, -0.230171209],
    ]
    c, w = [0.097371329, -0.054587135, 0.062025371], [0.736754076, -0.283499009, 0.622898113]
    return {"V": np.array(V), "c": np.array(c), "w": np.array(w), "b": 0.278954532}


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
