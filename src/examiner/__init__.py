"""The autograder: runs student code in a sandbox, marks it in another process, and writes nbgrader's gradebook."""

from examiner.isolation import parsing

parsing.one_at_a_time()
