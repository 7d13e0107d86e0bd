"""The student's image of the Dockerfile: its steps, run in a fresh environment, since there is no builder here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEPS = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
NAME = "logistic_regression"

pytestmark = [pytest.mark.hub, pytest.mark.timeout(900)]


def steps(instruction: str) -> list[str]:
    return re.findall(rf"^{instruction} (.*)$", STEPS, re.M)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment variables under which what the image has is found first."""
    folder = tmp_path_factory.mktemp("image")
    subprocess.run([sys.executable, "-m", "venv", folder / "usr"], check=True)
    there = os.environ | {"PATH": f"{folder}/usr/bin:{os.environ['PATH']}", "HOME": str(folder)}
    there |= {name: value.strip('"') for name, value in (line.split("=", 1) for line in steps("ENV"))}
    for line in steps("COPY"):
        *sources, target = line.split()
        (folder / target.lstrip("/")).mkdir(parents=True)
        for source in sources:
            shutil.copy(ROOT / source, folder / target.lstrip("/"))
    for line in steps("RUN"):
        if "pip" in line:  # the other makes a user, of whom a machine has enough
            subprocess.run(["sh", "-ec", line.replace("/tmp/lock", f"{folder}/tmp/lock")], env=there, check=True)
    return there


def test_a_students_notebook_runs_and_validates_in_the_image(image: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(ROOT / "release" / NAME, tmp_path / NAME)
    done = subprocess.run(
        ["nbgrader", "validate", f"{NAME}/{NAME}.ipynb"], cwd=tmp_path, env=image, capture_output=True, text=True
    )
    assert "sigmoid is not written yet" in done.stdout, done.stdout + done.stderr


def test_the_hub_can_start_the_image_and_no_grader_is_in_it(image: dict[str, str]) -> None:
    (command,) = re.findall(r'"(.*?)"', steps("CMD")[0])
    assert subprocess.run([command, "--version"], env=image, capture_output=True).returncode == 0
    assert subprocess.run(["python", "-c", "import examiner"], env=image, capture_output=True).returncode == 1
