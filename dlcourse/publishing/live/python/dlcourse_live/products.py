"""Products of matrices by the worker's own code, which products.ts hands over."""
