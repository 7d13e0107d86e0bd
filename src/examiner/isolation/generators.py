"""Random generators as plain data and back: the kind, the state, and the seed that children are spawned of."""

from __future__ import annotations

from typing import Any

import numpy as np

from examiner.isolation.values import GENERATORS, MAX_CHILDREN, MAX_SEED, Malformed, WireError


def taken_down(generator: np.random.BitGenerator) -> tuple[str, tuple[Any, Any]]:
    """A generator's kind, and its state and seed with nothing mutable in them; WireError for a kind of its own."""
    name = type(generator).__name__
    if name not in GENERATORS:
        raise WireError(f"a random generator of the kind {name}")
    return name, (_frozen(generator.state), seed_of(generator))


def set_up(name: str, state: Any, seed: Any) -> np.random.Generator:
    """The generator that was taken down; Malformed where its state is none that NumPy itself could have given."""
    generator = np.random.Generator(GENERATORS[name](_sown(seed)))
    _set_state(generator, name, state)
    return generator


def seed_of(generator: np.random.BitGenerator) -> tuple[Any, ...] | None:
    """What `spawn` makes children of: the entropy, the place among others, how many children there were."""
    seed = generator.seed_seq
    if type(seed) is not np.random.SeedSequence or seed.pool_size != 4 or seed.entropy is None:
        return None
    entropy = (seed.entropy,) if isinstance(seed.entropy, int | np.integer) else tuple(seed.entropy)
    return tuple(map(int, entropy)), tuple(map(int, seed.spawn_key)), int(seed.n_children_spawned)


def _frozen(state: Any) -> Any:
    """A bit generator's state with nothing mutable in it."""
    if isinstance(state, dict):
        return tuple((str(key), _frozen(value)) for key, value in state.items())
    if isinstance(state, np.ndarray):
        return ("array", state.dtype.str, state.tobytes())
    return int(state) if isinstance(state, int | np.integer) else state


def _set_state(generator: np.random.Generator, name: str, frozen: Any) -> None:
    state = _thawed(frozen)
    inner = state.get("state") if isinstance(state, dict) else None
    if not isinstance(inner, dict) or state.get("bit_generator") != name:
        raise Malformed("no generator's state")
    # NumPy trusts these positions, and reads where they point.
    if name == "MT19937":
        if not (isinstance(inner.get("pos"), int) and 0 <= inner["pos"] <= 624 and _words(inner.get("key"), 624, 4)):
            raise Malformed("no generator's state")
    elif name == "Philox":
        position, sound = state.get("buffer_pos"), _words(state.get("buffer"), 4, 8)
        sound = sound and _words(inner.get("counter"), 4, 8) and _words(inner.get("key"), 2, 8)
        if not (sound and isinstance(position, int) and 0 <= position <= 4):
            raise Malformed("no generator's state")
    elif name.startswith("PCG64"):
        if not (isinstance(inner.get("inc"), int) and inner["inc"] % 2):  # else its numbers need not vary
            raise Malformed("no generator's state")
    elif name == "SFC64" and not _words(inner.get("state"), 4, 8):
        raise Malformed("no generator's state")
    generator.bit_generator.state = state


def _sown(seed: Any) -> Any:
    """The seed that `seed_of` told of."""
    if seed is None:
        return 0
    entropy, key, children = seed
    numbers = (*entropy, *key, children)
    if len(numbers) > MAX_SEED or any(type(number) is not int or number < 0 for number in numbers):
        raise Malformed("no seed")
    return np.random.SeedSequence(entropy, spawn_key=key, n_children_spawned=min(children, MAX_CHILDREN))


def _words(x: Any, n: int, size: int) -> bool:
    return isinstance(x, np.ndarray) and x.shape == (n,) and x.dtype.kind == "u" and x.dtype.itemsize == size


def _thawed(frozen: Any, depth: int = 0) -> Any:
    if not isinstance(frozen, tuple) or depth > 3:
        return frozen
    if len(frozen) == 3 and frozen[0] == "array":
        if frozen[1] not in ("<u4", "<u8"):
            raise Malformed("no generator's state")
        return np.frombuffer(frozen[2], dtype=frozen[1]).copy()
    return {key: _thawed(value, depth + 1) for key, value in frozen}
