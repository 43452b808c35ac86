def weighted_sum(x, w, b):
    """Add up what comes in, each times its weight; this line is too long for a phone, and for many a page as well."""
    return x @ w + b
