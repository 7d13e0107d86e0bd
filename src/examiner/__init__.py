"""The autograder: runs student code in a sandbox, marks it in another process, and writes nbgrader's gradebook."""
