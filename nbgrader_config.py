"""nbgrader's settings for this course. `nbgrader` reads them in this folder, and JupyterLab's formgrader too."""

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

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "comp90051"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", ".pytest_cache", ".DS_Store"]

# What students get: stubs that name their task, no hidden test, and the helper package beside the notebook.
c.GenerateAssignment.preprocessors = [
    LockCells,
    ClearSolutions,
    "examiner.release.NameTheTask",
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
    SaveCells,
    ClearHiddenTests,
    ClearMarkScheme,
    "examiner.release.AddHelpers",
    ComputeChecksums,
    CheckCellMetadata,
]
