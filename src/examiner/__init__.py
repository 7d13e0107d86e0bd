"""The autograder: runs student code in a sandbox, marks it in another process, and writes nbgrader's gradebook.

`grade`, with `Assignment`, `Limits` and `Result`, is for tools of your own: docs/how_grading_works.md shows how.
"""

from examiner.grading.assignment import Assignment, Limits
from examiner.grading.grade import grade
from examiner.grading.result import Result
from examiner.isolation import parsing

__all__ = ["Assignment", "Limits", "Result", "grade"]

parsing.one_at_a_time()
