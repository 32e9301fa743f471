"""Riot's API, account-v1 and Match-V5: the one module that knows of it.

The key is the user's own. It goes into a header of each request, and nowhere else: no redirect is followed, so that no
other host gets it.

Riot may refuse, ask for patience or answer slowly, but nothing goes on for ever: there is a limit to the requests, to
the attempts of each, to the time that is waited, and to the bytes that are read.
"""

import logging
import os
import re
import time
import unicodedata
import urllib.request
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import quote, urlencode

import msgspec

from lolhl import web_api
from lolhl.errors import RiotError, UsageError
from lolhl.matches.timeline import Match, parse_match, parse_record

log = logging.getLogger(__name__)

KEY = "LOLHL_RIOT_KEY"
_URL = "LOLHL_RIOT_URL"  # another address than Riot's, for tests; {region} in it is filled in
_RIOT = "https://{region}.api.riotgames.com"

_PLATFORMS = {
    "americas": ("na1", "br1", "la1", "la2"),
    "europe": ("euw1", "eun1", "tr1", "ru", "me1"),
    "asia": ("kr", "jp1"),
    "sea": ("oc1", "ph2", "sg2", "th2", "tw2", "vn2"),
}
REGIONS = (*_PLATFORMS, *(platform for platforms in _PLATFORMS.values() for platform in platforms))
"""The regions that Match-V5 has, and the platforms (servers of the game) that belong to them."""

_ACCOUNTS = {"sea": "asia"}  # region → the one that knows its accounts, where that is another; all know all accounts
_MOST_MATCHES = 100  # that one request lists; no stream has more
_PAUSE = 0.06  # seconds between requests: Riot allows 20 a second to a key of a developer
_PAUSES = (1.0, 4.0)  # seconds before another attempt, where the server or the connection failed
_PATIENCE = 150.0  # seconds that a request waits in all where Riot asks for it: its limits are those of 2 minutes
_UNTOLD = 10.0  # seconds to wait where Riot does not say how long


class _Account(msgspec.Struct, frozen=True):
    puuid: str


_ACCOUNT, _IDS = msgspec.json.Decoder(_Account), msgspec.json.Decoder(list[str])
_ID = re.compile(r"[A-Z0-9]{1,8}_[0-9]{1,20}", re.ASCII)


@dataclass(frozen=True)
class RiotId:
    """The name of an account, as people write it: NAME#TAG."""

    name: str
    tag: str

    def __str__(self) -> str:
        return f"{self.name}#{self.tag}"


def parse_riot_ids(text: str) -> tuple[RiotId, ...]:
    """Riot IDs with commas between them. Raises UsageError for what is none."""
    return tuple(dict.fromkeys(_riot_id(part) for part in text.split(",")))


def _riot_id(text: str) -> RiotId:
    # The client copies invisible marks of direction with a name.
    plain = "".join(letter for letter in text if unicodedata.category(letter) != "Cf").strip()
    name, _, tag = plain.rpartition("#")
    if not (name.strip() and tag.strip() and len(plain) <= 60 and plain.isprintable()):
        raise UsageError(f"--riot-id {text[:60]!r} is no Riot ID: give NAME#TAG, as the game's client shows it")
    return RiotId(name.strip(), tag.strip())


@dataclass
class RiotApi:
    """A region of Riot's API, and how much it has been asked.

    Attributes:
        region: one of Match-V5's.
        most: requests that may be made in all.
        requests: how many were made.
    """

    region: str
    most: int
    address: str = field(repr=False)
    key: str = field(repr=False)
    requests: int = 0
    last: float = field(default=-1e9, repr=False)

    def puuid(self, account: RiotId) -> str:
        """The id of an account.

        Raises:
            RiotError: Riot knows no such account, or does not answer.
        """
        path = f"/riot/account/v1/accounts/by-riot-id/{quote(account.name, safe='')}/{quote(account.tag, safe='')}"
        data = self._get(path, f"account {account}", region=_ACCOUNTS.get(self.region, self.region))
        if data is None:
            raise RiotError(f"Riot knows no account {account}: check its spelling; it may have got another name")
        try:
            return _ACCOUNT.decode(data).puuid
        except (ValueError, RecursionError) as error:
            raise _odd(f"account {account}", error) from None

    def match_ids(self, puuid: str, account: RiotId, first: float, last: float) -> list[str]:
        """The ids of the matches of an account between two times, newest first.

        Riot has taken no heed of the times now and then (RiotGames/developer-relations#1134).

        Args:
            puuid: of the account.
            account: for messages.
            first, last: Unix time in seconds.
        """
        window = {"startTime": max(0, int(first)), "endTime": int(last), "start": 0, "count": _MOST_MATCHES}
        path = f"/lol/match/v5/matches/by-puuid/{quote(puuid, safe='')}/ids?{urlencode(window)}"
        data = self._get(path, f"matches of {account}")
        try:
            ids = _IDS.decode(data) if data is not None else []
        except (ValueError, RecursionError) as error:
            raise _odd(f"matches of {account}", error) from None
        if wrong := next((match_id for match_id in ids if not _ID.fullmatch(match_id)), None):
            raise _odd(f"matches of {account}", f"{wrong[:40]!r} is no id of a match")
        return ids

    def match(self, match_id: str) -> tuple[Match, bytes] | None:
        """A match, and the answer's bytes. None where Riot has none of this id, or nothing that makes sense."""
        data = self._get(f"/lol/match/v5/matches/{match_id}", f"match {match_id}")
        if data is None:
            return None
        try:
            return parse_match(data), data
        except msgspec.ValidationError as error:
            _warn_of_nonsense(f"match {match_id}", error)
            return None
        except ValueError as error:
            raise _odd(f"match {match_id}", error) from None

    def timeline(self, match_id: str) -> bytes | None:
        """The timeline of a match. None where Riot has none, or none that makes sense."""
        data = self._get(f"/lol/match/v5/matches/{match_id}/timeline", f"timeline of {match_id}")
        try:
            if data is not None:
                parse_record(data)
            return data
        except msgspec.ValidationError as error:
            _warn_of_nonsense(f"timeline of {match_id}", error)
            return None
        except ValueError as error:
            raise _odd(f"timeline of {match_id}", error) from None

    def _get(self, path: str, what: str, region: str | None = None) -> bytes | None:
        """What the server has at a path. None where it answers that there is nothing."""
        url = self.address.replace("{region}", region or self.region) + path
        pauses, waited = list(_PAUSES), 0.0
        while True:
            answer = self._ask(url, what)
            if answer.status == 200:
                return answer.body
            if answer.status == 404:
                return None
            if answer.status == 429:
                wait = _retry_after(answer.headers)
                if waited + wait > _PATIENCE:
                    raise RiotError(f"{what}: Riot asks to wait for {wait:.0f} s: run again after that, it goes on")
                log.info("riot: Riot asks to wait for %.0f s", wait)
                waited += wait
                time.sleep(wait)
            elif (answer.status == 0 or answer.status >= 500) and pauses:
                time.sleep(pauses.pop(0))
            else:
                raise _refused(what, answer)

    def _ask(self, url: str, what: str) -> web_api.Answer:
        """One request."""
        if self.requests >= self.most:
            raise RiotError(
                f"{what}: {self.most} requests were made, as many as one run may: what came is kept; run again, it "
                "goes on (or give more --requests)"
            )
        time.sleep(max(0.0, self.last + _PAUSE - time.monotonic()))
        self.requests, self.last = self.requests + 1, time.monotonic()
        request = urllib.request.Request(url, headers={"X-Riot-Token": self.key, "Accept": "application/json"})  # noqa: S310
        try:
            return web_api.ask(request)
        except ValueError:  # an odd address, whose text may hold a password
            raise UsageError(f"{_URL}: Riot's API cannot be asked there: check its address, and http_proxy") from None


def open_api(region: str, most: int) -> RiotApi:
    """The API of a region, with the user's key.

    Args:
        region: one of `REGIONS`.
        most: requests that may be made.

    Raises:
        UsageError: there is no key, or the address that replaces Riot's is none.
    """
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise UsageError(f"{KEY} is not set: make a key of your own at https://developer.riotgames.com, and set it so")
    if not re.fullmatch(r"[!-~]{1,200}", key):
        raise UsageError(f"{KEY} holds no key: copy it anew from https://developer.riotgames.com")
    address = os.environ.get(_URL) or _RIOT
    if not address.startswith(("https://", "http://")):
        raise UsageError(f"{_URL} is no address: give http:// or https://")
    routing = next((name for name, platforms in _PLATFORMS.items() if region in (name, *platforms)), region)
    return RiotApi(routing, most, address.rstrip("/"), key)


def _retry_after(headers: Message) -> float:
    """The seconds that Riot asks to wait."""
    seconds = (headers.get("Retry-After") or "").strip()
    return max(1.0, float(seconds)) if re.fullmatch(r"\d{1,6}", seconds, re.ASCII) else _UNTOLD


def _refused(what: str, answer: web_api.Answer) -> RiotError:
    status = answer.status
    if status in (401, 403):
        return RiotError(
            f"{what}: Riot does not accept the key in {KEY} (it answers {status}): the keys of developers end after 24 "
            "hours: make a new one at https://developer.riotgames.com"
        )
    if status == 0:
        return RiotError(f"{what}: the connection to Riot failed ({answer.why}): run again")
    if status >= 500:
        return RiotError(f"{what}: Riot answers {status}: run again later, it goes on")
    return RiotError(f"{what}: Riot answers {status}: check --riot-id and --region")


def _warn_of_nonsense(what: str, why: object) -> None:
    """Warns of JSON that is no match. Riot has such of games that broke off (RiotGames/developer-relations#898)."""
    log.warning("riot: %s makes no sense (%s)", what, str(why)[:200])


def _odd(what: str, why: object) -> RiotError:
    return RiotError(f"{what}: what Riot answers is none ({str(why)[:200]}): run again, or with a newer lolhl")
