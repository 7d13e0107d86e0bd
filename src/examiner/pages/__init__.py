"""What people read: feedback, class report, tables, and nothing of a student's as markup."""
