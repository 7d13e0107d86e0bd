"""What concerns the class as a whole: marks of earlier runs, the tables, the report, and what is said of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from examiner.cli.terminal import say, say_isolation
from examiner.cli.writing import ClassWriter, marked_paths
from examiner.grading.parts import notebooks, together
from examiner.isolation.files import write_atomically
from examiner.pages.stamps import STAMP, read_stamp
from examiner.pages.tables import grades_csv, marks_csv, write_tables, zip_feedback

LONGEST_TABLE = 60  # students whose marks are printed; a larger class has its report
MOST_NAMED = 20  # of those whom the roster lacks


def recall(class_: ClassWriter, there: Collection[tuple[str, str]]) -> None:
    """Add whoever has marks in the gradebook and was not graded by this run, as they stand.

    It may be that only one assignment was graded, that a folder has left submitted/, or that another tutor
    grades elsewhere on the same gradebook. `there` is what submitted/ holds: (student, assignment).
    """
    from examiner.course.gradebook import read_marks
    from examiner.course.notebook import read_result, unseen

    handed_in = {student for student, _ in there}
    known = {(row.assignment, row.student) for row in class_.summary.rows()}
    for name, assignment in class_.assignments.items():
        for student, marked in sorted(read_marks(class_.gradebook, name).items()):
            if (name, student) in known or not _belongs(class_, student, handed_in):
                continue
            paths = marked_paths(class_.course, assignment, student).values()
            read = [read_result(path, part) for path, part in zip(paths, notebooks(assignment), strict=True)]
            result = read[0]
            if assignment.parts:
                there_now = {p.notebook: one for p, one in zip(assignment.parts, read, strict=True) if one is not None}
                result = together(assignment, b"", there_now) if len(there_now) == len(read) else None
            given = marked.timestamp or marked.by_hand or any(marked.scores.values())
            if result is None and not given:  # nothing came, but they have an extension
                continue
            result = result or unseen(assignment)
            if (student, name) not in there:
                gone = "Not in submitted/ any more; the marks are the gradebook's."
                result = replace(result, notes=(*result.notes, gone))
            class_.add(name, student, result, marked)


def _belongs(class_: ClassWriter, student: str, handed_in: Collection[str]) -> bool:
    roster = class_.summary.session_of
    return not roster or student in roster or student in handed_in


def finish(class_: ClassWriter, graded: Sequence[str], report: bool = True) -> None:
    """Write the class's tables and its report, and print the table of what was graded."""
    kept, off = write_whole(class_, report)
    say("")
    for path, aside in kept.items():
        say(f"{path.name} was changed since it was written here, or came from elsewhere: it is kept as {aside}.")
    _say_marks(class_, graded)
    if off:
        more = f" and {len(off) - MOST_NAMED} more" if len(off) > MOST_NAMED else ""
        say(f"Not on the roster, and so not in grades.csv: {', '.join(off[:MOST_NAMED])}{more}.")
    written = "autograded/, feedback/, grades.csv, marks.csv, feedback.zip" + (", class_report.html" if report else "")
    say(f"Wrote {written} in {class_.course.root}.")


def write_whole(class_: ClassWriter, report: bool = True) -> tuple[Mapping[Path, Path], list[str]]:
    """Write the class's tables and its report. Returns which tables were kept aside and where, and who is off it."""
    from nbgrader.api import Student

    shown = {row.student for row in class_.summary.rows()}
    everyone = class_.gradebook.db().query(Student).all()
    people = [student.id for student in everyone if _belongs(class_, student.id, shown)]
    kept = _write_tables(class_, people)
    if report:
        whole = ((one.id, f"{one.first_name or ''} {one.last_name or ''}".strip()) for one in everyone)
        class_.summary.names = {student: name for student, name in whole if name}
        _write_report(class_)
    return kept, sorted({student.id for student in everyone} - set(people))


def say_arrived(class_: ClassWriter, who: Collection[tuple[str, str]]) -> None:
    """Tell of marks that have just been written, a line each."""
    from examiner.pages.terminal import in_words

    for row in class_.summary.rows():
        if (row.student, row.assignment) in who:
            say(f"{datetime.now():%H:%M:%S}  {in_words(row)}")


def say_hardest(class_: ClassWriter, names: Sequence[str]) -> None:
    """Tell at which question of each assignment the class is stuck."""
    from examiner.pages.terminal import hardest

    rows = class_.summary.rows()
    for name in names:
        mine = [row for row in rows if row.assignment == name]
        if told := hardest(mine, partial(class_.summary.label, assignment=name)):
            say(f"          {name}: {told}")


def _write_tables(class_: ClassWriter, people: Sequence[str]) -> Mapping[Path, Path]:
    """Write grades.csv, marks.csv and feedback.zip. Returns which were kept aside, and where."""
    root = class_.course.root
    table = grades_csv(class_.gradebook, class_.summary, people)
    kept = write_tables(
        class_.course.state,
        {
            root / "grades.csv": table.encode("utf-8-sig"),  # by the mark Excel knows that it is UTF-8
            root / "marks.csv": marks_csv(class_.summary.rows()).encode(),
        },
    )
    zip_feedback(class_.course.feedback, root / "feedback.zip", sorted(class_.students), list(class_.assignments))
    return kept


def _write_report(class_: ClassWriter) -> None:
    """Write the class report, unless it shows just that already."""
    from examiner.pages.class_report import report_html

    path = class_.course.root / "class_report.html"
    if read_stamp(path, STAMP) != class_.summary.stamp():
        write_atomically(path, report_html(class_.summary))


def _say_marks(class_: ClassWriter, graded: Sequence[str]) -> None:
    """Print the marks of what was graded, and what there is to say of the others."""
    from examiner.pages import terminal

    rows = class_.summary.rows()
    of: dict[str, list[Any]] = {name: [row for row in rows if row.assignment == name] for name in graded}
    if len(class_.students) <= LONGEST_TABLE:
        for name, mine in of.items():
            say(terminal.table(class_.assignments[name], mine))
    for name, mine in of.items():
        say(terminal.in_a_line(name, mine))
    if others := sorted(set(class_.assignments) - set(graded)):
        say(f"{', '.join(others)}: not graded now; the marks are in the tables as they stood.")
    say_isolation({row.sandbox for row in rows})
    if class_.summary.ungraded:
        say(f"{len(class_.summary.ungraded)} handed in what can't be graded; grades.csv says what.")
