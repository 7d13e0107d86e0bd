"""One submission, from its bytes to its marks: pure, without nbgrader, files or a database."""
