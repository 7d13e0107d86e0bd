"""The options of `workshop`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from examiner.cli.administration import (
    STUDENTS_NEEDED,
    export_command,
    extend_command,
    feedback_command,
    students_command,
)
from examiner.cli.checking import check_command
from examiner.cli.grading import grade_command
from examiner.cli.handing_out import bundle_command, lite_command, new_command, release_command, solutions_command
from examiner.cli.marking import mark_command, replay_command
from examiner.isolation.sandbox import LEVELS, NONE

Commands = Any  # what argparse's add_subparsers gives: its type has no public name


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="workshop", description="Grade a class, report on it, hand notebooks out.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    for add in (
        _new,
        _check,
        _release,
        _grade,
        _students,
        _export,
        _feedback,
        _mark,
        _replay,
        _extend,
        _bundle,
        _lite,
        _solutions,
    ):
        add(commands)
    return top


def _grade(commands: Commands) -> None:
    command = commands.add_parser(
        "grade",
        help="grade the submissions: marks, feedback, grades.csv, class report",
        description="Grade what is in submitted/ (or what --from brings in). Writes autograded/, feedback/, "
        "gradebook.db, grades.csv, marks.csv, feedback.zip and class_report.html. Safe to stop at any moment and to "
        "run again: what was graded and has not changed is not graded again, and marks given by hand stay.",
    )
    command.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="only these (default: all in source/)")
    command.add_argument(
        "--from",
        dest="origin",
        metavar="PATH",
        action="append",
        help="first take in submissions from a zip (of a learning-management system, or folders by student), a folder, "
        "or the word `exchange` for nbgrader's exchange; may be given several times",
    )
    command.add_argument(
        "--level", type=int, metavar="N", help="which level of the names in --from is the student's: 1 is the outermost"
    )
    command.add_argument("--student", metavar="ID", help="all that --from brings in is by this student")
    command.add_argument(
        "--people", type=Path, metavar="CSV", help="who is who: came_as, student_id; remembered for later runs"
    )
    command.add_argument("--roster", type=Path, metavar="CSV", help="class list: student_id, session, and names")
    command.add_argument(
        "--unknown-students", action="store_true", help="grade also those who are not on the roster, without a session"
    )
    command.add_argument("--workers", type=int, metavar="N", help="submissions at once (default: one for each core)")
    command.add_argument("--scheduler", metavar="ADDRESS", help="grade on the Dask cluster at tcp://HOST:PORT")
    command.add_argument(
        "--sandbox",
        default="auto",
        choices=["auto", *LEVELS, NONE],
        metavar="LEVEL",
        help="how student code is confined: auto takes the best this machine offers and refuses where there is none; "
        "none accepts the risk of running it unconfined",
    )
    _one_process(command)
    command.add_argument("--no-report", action="store_true", help="leave out the class report")
    command.add_argument(
        "--watch",
        action="store_true",
        help="go on until Ctrl-C: grade what arrives in submitted/ (or --from) at once, and renew tables and report",
    )
    command.add_argument("--db-url", metavar="URL", help="the gradebook, where it is not the one in nbgrader_config.py")
    _common(command)
    command.set_defaults(run=grade_command)


def _new(commands: Commands) -> None:
    command = commands.add_parser(
        "new",
        help="begin a new workshop: a source notebook with a question of each kind",
        description="Write source/NAME/NAME.ipynb, a notebook with a question in code, its tests, the marking tools "
        "that they share, and a question in words, sound as it is; and nbgrader_config.py where the course has none.",
    )
    command.add_argument("name", metavar="NAME", help="small letters, digits and _")
    _common(command)
    command.set_defaults(run=new_command)


def _check(commands: Commands) -> None:
    command = commands.add_parser(
        "check",
        help="whether each test marks the assignment's own solution right, and a blank copy wrong",
        description="Grade the solution in source/ and a blank copy, and list the test cells that mark the one wrong "
        "or the other right, each with the reason and what to change. `workshop grade` does this by itself where the "
        "assignment is new.",
    )
    command.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="only these (default: all in source/)")
    _one_process(command)
    _common(command)
    command.set_defaults(run=check_command)


def _release(commands: Commands) -> None:
    command = commands.add_parser(
        "release",
        help="make what students get, release/, from source/",
        description="Make release/ from source/: stubs in the place of answers, no hidden test, and beside each "
        "notebook the helper package, which knows its questions and the mistakes that its marking tools list.",
    )
    _common(command)
    command.set_defaults(run=release_command)


def _one_process(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--kernel-in-sandbox",
        action="store_true",
        help="run tests among the student's cells, as stock nbgrader does, within the sandbox: for tests that can't "
        "work apart. Student code can then read hidden tests and forge its marks; the report says so",
    )


def _students(commands: Commands) -> None:
    command = commands.add_parser(
        "students",
        help="who is in the course; put two that are one together, rename one, take one out",
        description="Without more, list who is in the course and under which names their work came. `merge ONE OTHER` "
        "puts ONE's work and marks to OTHER's, `rename ONE OTHER` gives another id, `remove ONE` takes one out, and "
        "`undo` takes the last of these back. Marks given by hand go along.",
    )
    command.add_argument("action", nargs="?", default="list", choices=["list", *STUDENTS_NEEDED, "undo"])
    command.add_argument("who", nargs="*", metavar="ID")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument("--db-url", metavar="URL", help="the gradebook, where it is not the one in nbgrader_config.py")
    _common(command)
    command.set_defaults(run=students_command)


def _export(commands: Commands) -> None:
    command = commands.add_parser(
        "export",
        help="the marks of an assignment in your learning-management system's own table, to import as it is",
        description="Write a copy of the table that Canvas, Moodle or Blackboard exports, with an assignment's marks "
        "in one column and all else as it was, so that the system imports it as it is. Download the table there first "
        "(Canvas, Blackboard: the gradebook's export; Moodle: that, or the grading worksheet) and give it with --like.",
    )
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument(
        "--like",
        type=Path,
        metavar="CSV",
        help="the table as the system exported it (default: the roster that `workshop grade` was given last)",
    )
    command.add_argument(
        "--column",
        default="",
        metavar="NAME",
        help="the column to fill: its name, or how its name begins; "
        "a name that the table lacks makes a new one (default: the one called as the assignment)",
    )
    command.add_argument(
        "--to", type=Path, metavar="FILE", help="a new file to write (default: build/ASSIGNMENT_marks.csv)"
    )
    _of_marks(command)
    command.set_defaults(run=export_command)


def _feedback(commands: Commands) -> None:
    command = commands.add_parser(
        "feedback",
        help="a zip with the feedback of some students, or by the names that Moodle and Canvas want",
        description="Write a zip of the feedback that `workshop grade` made: of all, some students, or a session. "
        "With --for its names are those that the system gave the students' work, so that it can be uploaded as it is.",
    )
    command.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="only these (default: all)")
    command.add_argument("--students", metavar="IDS", help="only these ids, with commas between")
    command.add_argument("--session", metavar="NAME", help="only this session: its number or its name")
    command.add_argument(
        "--for",
        dest="system",
        default="",
        choices=["moodle", "canvas"],
        help="name the files as this system named the work that came from it",
    )
    command.add_argument("--to", type=Path, metavar="FILE", help="a new file to write (default: build/feedback.zip)")
    _of_marks(command)
    command.set_defaults(run=feedback_command)


def _mark(commands: Commands) -> None:
    command = commands.add_parser(
        "mark",
        help="mark the written answers by the keyboard, in a page without names",
        description="Write build/marking.html, a page with all written answers, question by question, without names, "
        "and the marking guide beside them. It needs no server, and gives the marks back as a CSV, which --take writes "
        "into the gradebook. Where two markers differ, nothing is written; build/moderation.csv lists these.",
    )
    command.add_argument(
        "--take",
        type=Path,
        metavar="FILE",
        action="append",
        help="a CSV that the page gave; may be given several times",
    )
    _of_marks(command)
    command.set_defaults(run=mark_command)


def _replay(commands: Commands) -> None:
    command = commands.add_parser(
        "replay",
        help="the very problem that a student's answer failed, as a page",
        description="Run one test of one student's notebook once more, on the problems that it was marked with, and "
        "write a page with what went in, the student's numbers, the right ones, and the student's code: "
        "build/replay/STUDENT_ASSIGNMENT_TEST.html.",
    )
    command.add_argument("student", metavar="STUDENT")
    command.add_argument(
        "test",
        metavar="TEST",
        help="a test (test_gradient_w) or a question (5, gradient); mlp_sgd/5 where both have it",
    )
    _of_marks(command)
    command.set_defaults(run=replay_command)


def _extend(commands: Commands) -> None:
    command = commands.add_parser(
        "extend",
        help="give one student more time for an assignment",
        description="Set until when one student may hand in without being late, as `2017-09-04 17:00`, in the course's "
        "timezone; the word `none` takes it back. The next `workshop grade` counts lateness by it.",
    )
    command.add_argument("student", metavar="ID")
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument("date", metavar="DATE")
    _of_marks(command)
    command.set_defaults(run=extend_command)


def _bundle(commands: Commands) -> None:
    command = commands.add_parser(
        "student-bundle",
        help="a folder and a zip to hand out: no answers in it",
        description="Write a folder and its zip with the notebooks of release/, the helper package, the environment, "
        "the slides and a README for students. Refused if a line of an answer or a hidden test is in it.",
    )
    _where_to(command, "student-bundle")
    _common(command)
    command.set_defaults(run=bundle_command)


def _lite(commands: Commands) -> None:
    command = commands.add_parser(
        "lite",
        help="the bundle's notebooks as a static JupyterLite site (optional)",
        description="Build a static site of the bundle's notebooks for any web server: JupyterLite runs Python in the "
        "browser.",
    )
    _where_to(command, "lite")
    _common(command)
    command.set_defaults(run=lite_command)


def _solutions(commands: Commands) -> None:
    command = commands.add_parser(
        "solutions",
        help="the notebooks with answers, executed, as notebooks and HTML",
        description="Run the notebooks of source/ and write them with answers and outputs, as notebooks and as HTML.",
    )
    _where_to(command, "solutions")
    _common(command)
    command.set_defaults(run=solutions_command)


def _of_marks(command: argparse.ArgumentParser) -> None:
    command.add_argument("--db-url", metavar="URL", help="the gradebook, where it is not the one in nbgrader_config.py")
    _common(command)


def _where_to(command: argparse.ArgumentParser, name: str) -> None:
    command.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help=f"where to write it: a folder that is new, empty, or made by this command (default: build/{name} in the "
        "course)",
    )
    command.set_defaults(command=name, usual=f"build/{name}")


def _common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--course", type=Path, default=Path("."), metavar="FOLDER", help="the course (default: here)")
