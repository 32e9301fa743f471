"""Asks web APIs: requests whose answers are bounded in size and in time, and that follow no redirect."""

import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import Message

_SILENCE = 30.0  # seconds without a byte after which a connection counts as failed
_LONGEST = 120.0  # seconds that an answer may take in all
_LARGEST = 48_000_000  # bytes; a timeline of Riot's has some millions
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Answer:
    """What a server answers. Without an answer the status is 0, and the body says why."""

    status: int
    body: bytes
    headers: Message = field(default_factory=Message)

    @property
    def why(self) -> str:
        """Why there is no answer."""
        return self.body.decode(errors="replace")[:200]


def ask(request: urllib.request.Request) -> Answer:
    """Sends one request.

    Raises:
        ValueError: the address is odd, or that of a proxy. The error's text may hold a password.
    """
    until = time.monotonic() + _LONGEST
    try:
        with _opener().open(request, timeout=_SILENCE) as response:
            return Answer(response.status, _body(response, until), response.headers)
    except urllib.error.HTTPError as error:
        error.close()
        return Answer(error.code, b"", error.headers)
    except urllib.error.URLError as error:
        return Answer(0, str(error.reason).encode())
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, (str(error) or type(error).__name__).encode())


def _opener() -> urllib.request.OpenerDirector:
    """Speaks http and https, and follows no redirect."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _body(response: http.client.HTTPResponse, until: float) -> bytes:
    """The body of an answer. Raises OSError where it is too long or too slow."""
    body = bytearray()
    while block := response.read1(_BLOCK):
        body += block
        if len(body) > _LARGEST:
            raise OSError(f"the answer has more than {_LARGEST // 1_000_000} MB")
        if time.monotonic() > until:
            raise OSError(f"the answer takes longer than {_LONGEST:.0f} s")
    if response.length:
        raise OSError("the answer broke off")
    return bytes(body)
