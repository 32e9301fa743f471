"""What a scheduler says when it does not do what it was asked for."""

import re

_OBJECT = re.compile(r"<[^<>]* object at 0x[0-9a-f]+>:? ?")  # as urllib3 names a connection in its errors


class SchedulerError(Exception):
    """A scheduler refused a request, or did not answer. The message is one line for the person who asked."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(_OBJECT.sub("", message).split()))
