"""What runs in the browser's Python beside the course: cells, their outputs, and what stands in for IPython."""
