"""No attack earns a mark, learns a test, touches another's things, or harms the next submission.

`make attacks` plays them all and prints the table; here are those that take no waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from attacks.attacks import GROUPS, RESOURCES, WIRE, Attack
from attacks.stage import Stage, play

PATIENT = {attack.name for attack in [*RESOURCES, *WIRE] if "end" in attack.name or "alarm" in attack.name}
PATIENT |= {"loops and catches everything", "sleeps", "takes 8 GB in a call", "replies with colliding keys"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home: Path = tmp_path_factory.mktemp("stage")
    yield Stage(home)


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(attack, id=attack.name, marks=[pytest.mark.slow] if attack.name in PATIENT else [])
        for attacks in GROUPS.values()
        for attack in attacks
    ],
)
def test_repels(attack: Attack, stage: Stage) -> None:
    assert play(attack, stage).faults == ()
