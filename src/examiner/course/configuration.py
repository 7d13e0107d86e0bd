"""nbgrader's settings of a course that the examiner marks: `configure(c)` in its nbgrader_config.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
    SaveCells,
)
from traitlets.config import Config

from examiner.course.guard import guard


def configure(c: Config) -> None:
    """Set what nbgrader's commands, formgrader and nbgrader's API go by in a course of ours."""
    # nbgrader starts `alembic` by its name: it must find the one that was installed with it.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

    c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", ".pytest_cache", ".DS_Store"]

    # What students get: stubs that name their task, no hidden test, and the helper package beside the notebook.
    c.GenerateAssignment.preprocessors = [
        LockCells,
        ClearSolutions,
        "examiner.course.release.NameTheTask",
        ClearOutput,
        CheckCellMetadata,
        ComputeChecksums,
        SaveCells,
        ClearHiddenTests,
        ClearMarkScheme,
        "examiner.course.release.TidyTests",
        "examiner.course.release.GoOn",
        "examiner.course.release.AddHelpers",
        ComputeChecksums,
        CheckCellMetadata,
    ]

    # The marking tools are a cell of hidden tests that bears no marks.
    c.ClearHiddenTests.enforce_metadata = False

    # Feedback shows its maths without a network, and no hidden test.
    c.GenerateFeedback.preprocessors = ["examiner.course.gradebook.GetMarks"]
    c.GenerateFeedback.exporter_class = "examiner.pages.feedback.FeedbackExporter"

    # `nbgrader autograde`, formgrader's button and nbgrader's API mark with the examiner.
    c.Autograde.exporter_class = "examiner.course.plugin.LenientExporter"
    c.Autograde.sanitize_preprocessors = ["examiner.course.plugin.Restore"]
    c.Autograde.autograde_preprocessors = ["examiner.course.plugin.Grade", "nbgrader.preprocessors.AssignLatePenalties"]

    # Links among a submission's files are not followed, and in formgrader nothing of a student's is markup or runs.
    c.ExchangeFactory.collect = "examiner.course.guard.Collect"
    c.ExchangeFactory.release_feedback = "examiner.course.guard.ReleaseFeedback"
    guard()
