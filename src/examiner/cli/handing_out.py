"""What students get: bundle, static site, solutions."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from examiner.cli.terminal import own_command, say


def new_command(options: argparse.Namespace) -> int:
    """Begin a new workshop."""
    from examiner.course.scaffold import begin

    for path in begin(options.course, options.name):
        say(f"Wrote {path}.")
    say(
        f"Fill the notebook in (jupyter lab), and see that its tests are sound: `{own_command()} check {options.name}`."
    )
    say(f"`{own_command()} release` makes what students get; README.md, A new workshop from this one, has the rest.")
    return 0


def release_command(options: argparse.Namespace) -> int:
    """Make release/."""
    from examiner.course.release import renew

    return renew(options.course.resolve())


def bundle_command(options: argparse.Namespace) -> int:
    """Make the folder and the zip that students get."""
    from examiner.course import handout, output

    course, target, scratch = _handing_out(options)
    archive = output.target_zip(target.with_name(f"{target.name}.zip"), options.command)
    with scratch as made:
        handout.make_bundle(course.root, made, course.assignments())
        output.publish(made, target, options.command)
    output.zip_folder(target, archive, options.command)
    if not (course.root / "requirements.lock").is_file():
        say("The course has no requirements.lock: requirements.txt names the versions that are installed here.")
    say(f"Wrote {target} and {archive} ({archive.stat().st_size / 1e6:.1f} MB); no answer is in them.")
    return 0


def lite_command(options: argparse.Namespace) -> int:
    """Build the JupyterLite site."""
    from examiner.course import handout, output

    course, target, scratch = _handing_out(options)
    with scratch as made:
        bundle = made.with_name("bundle")
        handout.make_bundle(course.root, bundle, course.assignments())
        handout.make_lite(bundle, made)
        output.publish(made, target, options.command)
    say(f"Wrote {target}. Put it on any web server, or look at it: python3 -m http.server -d {target}")
    return 0


def solutions_command(options: argparse.Namespace) -> int:
    """Execute the notebooks with answers and write them as notebooks and HTML."""
    from examiner.course import handout, output

    course, target, scratch = _handing_out(options)
    say("Executing the notebooks with their answers.")
    with scratch as made:
        handout.make_solutions(course.root, made, course.assignments())
        names = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
        output.publish(made, target, options.command)
    for name in names:
        say(f"Wrote {target / name}")
    return 0


def _handing_out(options: argparse.Namespace) -> tuple[Any, Path, AbstractContextManager[Path]]:
    """The course, the folder that the command may write, and a context with a new folder to make things in first."""
    from examiner.course import output
    from examiner.course.course import open_course

    course = open_course(options.course)
    given = options.to if options.to is not None else course.root / options.usual
    folders = ("source", "release", "submitted", "autograded", "feedback", ".workshop", ".git", "slides", "docs")
    own = [course.source, course.submitted, course.autograded, course.feedback, *(course.root / f for f in folders)]
    return course, output.target_folder(given, options.command, course.root, own), _new_folder()


@contextmanager
def _new_folder() -> Iterator[Path]:
    """A folder still to be made, which is gone after the block."""
    with tempfile.TemporaryDirectory(prefix="workshop-") as scratch:
        yield Path(scratch) / "made"
