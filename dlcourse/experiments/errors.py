"""What a run says when it cannot begin or go on."""


class ExperimentError(Exception):
    """Something the person at the keyboard can mend; its text is one sentence with the remedy."""
