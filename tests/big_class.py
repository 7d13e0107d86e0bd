"""Make a large class: `python tests/big_class.py COURSE 300` writes COURSE/class.zip and COURSE/roster.csv.

The zip is as a learning-management system exports it. Each student answers each question rightly or wrongly, as the
banks have it; some copy from a neighbour, a few hand in late or twice, and one in twenty hands in an attack.
"""

from __future__ import annotations

import copy
import csv
import json
import random
import sys
import zipfile
from pathlib import Path
from typing import Any

import yaml

import adequacy
from attacks.attacks import GROUPS
from sample_class import filled_in, read, reference_answers

WORDS = """the step objective falls grows noise batch gradient small large mean point slope minimum slowly fast
because when each epoch weights random equal units boundary curve line training hidden after before more less"""
SLOW = ("while True", "while 1", "time.sleep", "10**9", "10 ** 9", "itertools.count")  # a few are enough


def answers_of_the_banks() -> dict[tuple[str, str], dict[str, list[str]]]:
    """By (assignment, question): the code of the right and of the wrong answers, none that runs for ever."""
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for case in adequacy.cases():
        code = case.cells.get(case.question)
        if code and len(case.cells) == 1 and not any(word in code for word in SLOW):
            kinds = found.setdefault((case.assignment, case.question), {"right": [], "wrong": []})
            kinds[case.kind].append(code.strip("\n"))
    return found


def hostile_cells() -> list[str]:
    """The attacks that are a cell of code."""
    found = [attack for group in GROUPS.values() for attack in group if attack.notebook is None]
    cells = [f"{attack.first}\n{attack.answer}" for attack in found]
    for name, value in {"port": "9", "outside": "/tmp/outside", "course": "/course", "other": "/other"}.items():
        cells = [cell.replace("{" + name + "}", value) for cell in cells]
    return cells


def written(rng: random.Random) -> str:
    """A written answer of some twenty words."""
    return " ".join(rng.choices(WORDS.split(), k=rng.randint(18, 40))).capitalize() + "."


def make(course: Path, count: int) -> tuple[Path, Path]:
    """Write the zip and the roster of a class of `count`."""
    rng = random.Random(90051)
    banks, attacks = answers_of_the_banks(), hostile_cells()
    sources = {path.stem: read(path) for path in sorted((course / "source").glob("*/*.ipynb"))}
    releases = {name: read(course / "release" / name / f"{name}.ipynb") for name in sources}
    references = {name: reference_answers(source) for name, source in sources.items()}
    sessions = len(yaml.safe_load((course / "slides" / "course.yml").read_text())["sessions"])
    roster = []
    before: dict[str, dict[str, Any]] = {}
    with zipfile.ZipFile(course / "class.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            student, skill = str(700_001 + 13 * number), rng.betavariate(4, 1.2)
            roster.append([student, f"Family{number}", f"Given{number}", 1 + rng.randrange(sessions)])
            late = "LATE_" if rng.random() < 0.05 else ""
            copies, hostile = rng.random() < 0.02, rng.random() < 0.05
            for name, release in releases.items():
                answers = dict(references[name])
                for question in answers:
                    kind = "right" if rng.random() < skill else "wrong"
                    choices = banks.get((name, question), {}).get(kind)
                    if choices and not (kind == "right" and rng.random() < 0.3):
                        answers[question] = rng.choice(choices)
                notebook = before.get(name) if copies else None
                if notebook is None:
                    notebook = filled_in(release, answers, written=None)
                    for cell in notebook["cells"]:
                        about = cell["metadata"].get("nbgrader", {})
                        if about.get("solution") and about.get("grade") and rng.random() < 0.9:
                            cell["source"] = written(rng)
                    before[name] = copy.deepcopy(notebook)
                    if hostile:
                        attack = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
                        attack |= {"id": "hostile", "source": rng.choice(attacks)}
                        notebook["cells"].insert(2, attack)
                file = f"family{number}given{number}_{late}{student}_{5_000_000 + number}_{name}.ipynb"
                archive.writestr(file, json.dumps(notebook, indent=1))
    with open(course / "roster.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["student_id", "last_name", "first_name", "session"])
        writer.writerows(roster)
    return course / "class.zip", course / "roster.csv"


if __name__ == "__main__":
    made = make(Path(sys.argv[1]), int(sys.argv[2]))
    print("Made " + " and ".join(str(path) for path in made))
