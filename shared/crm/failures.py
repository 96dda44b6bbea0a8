"""What a user can cause, told in one sentence."""


class Failure(Exception):
    """The message is one sentence for the person at the terminal."""
