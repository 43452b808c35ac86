"""Stand-ins for IPython's display, glue of the book, and figures that show themselves after their cell."""
