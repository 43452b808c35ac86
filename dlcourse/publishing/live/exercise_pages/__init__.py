"""Exercises as pages of the book, made from the notebooks that learners get.

`notebooks` keeps what the grader's room hands out, `cells` says what each cell is for, `text` writes the pages and the
overview of them, and `documents` gives all of it to Sphinx. Where no notebooks were handed over, there are no such pages.
"""
