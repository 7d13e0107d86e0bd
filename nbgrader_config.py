"""nbgrader's settings for this course. `nbgrader` reads them in this folder, and JupyterLab's formgrader too."""

from examiner.course.configuration import configure

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "comp90051"
configure(c)
