"""Grades are kept and given out: nbgrader's gradebook and notebooks, receipts, tables, exports and feedback."""
