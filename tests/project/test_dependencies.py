"""pyproject.toml, requirements.lock and environment.yml say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()


def locked() -> dict[str, list[str]]:
    """The locked versions of each package; several where they depend on Python's version."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", LOCK, re.M):
        found.setdefault(name.lower().replace("_", "-"), []).append(version)
    return found


def declared() -> list[Requirement]:
    lines = list(PROJECT["project"]["dependencies"])
    for group in (*PROJECT["project"]["optional-dependencies"].values(), *PROJECT["dependency-groups"].values()):
        lines += group
    return [Requirement(line) for line in lines]


def test_the_lock_meets_every_declared_dependency() -> None:
    versions = locked()
    for requirement in declared():
        found = versions.get(requirement.name.lower())
        assert found, f"{requirement.name} is not in requirements.lock: run `make lock`"
        assert all(requirement.specifier.contains(v, prereleases=True) for v in found), (requirement, found)


def test_the_lock_meets_the_constraints() -> None:
    for line in PROJECT["tool"]["uv"]["constraint-dependencies"]:
        constraint = Requirement(line)
        assert all(constraint.specifier.contains(v) for v in locked()[constraint.name])


def test_every_locked_package_has_hashes() -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", LOCK)
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry.split("\n")[0])


def test_the_lock_names_no_host() -> None:
    assert "://" not in LOCK


def test_the_lock_leaves_no_package_without_a_parent() -> None:
    """A package that nothing needs any more would show that the lock is older than pyproject.toml."""
    roots = {requirement.name.lower() for requirement in declared()}
    entries = re.split(r"\n(?=[A-Za-z0-9])", LOCK)
    for entry in entries:
        name = re.match(r"[A-Za-z0-9._-]+", entry)
        if name and "==" in entry.split("\n")[0] and "# via statml-workshop" in entry:
            assert name.group().lower().replace("_", "-") in roots, name.group()


def test_environment_yml_only_points_to_the_lock() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, packages = environment["dependencies"]
    assert python.startswith("python=3.") and pip == "pip"
    assert packages == {"pip": ["-r requirements.lock"]}
    assert python.removeprefix("python=") in ("3.11", "3.12", "3.13", "3.14")
