"""What a scheduler says when it does not do what it was asked for."""


class SchedulerError(Exception):
    """A scheduler refused a request, or did not answer. The message is one line for the person who asked."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
