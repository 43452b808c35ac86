"""What goes wrong while publishing, told in a sentence with its remedy."""


class PublishingError(Exception):
    """The book cannot be built or shown; the message says why, and what to do."""
