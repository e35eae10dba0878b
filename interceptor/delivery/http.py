"""HTTP POST, and what the answer means for a sink."""

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from interceptor.delivery.settings import trusted, without_query
from interceptor.delivery.sink import Away, Refused

#: answers that no further attempt changes: the events are wrong, or too many. Others (a wrong path, a wrong secret, a
#: receiver that is overloaded) are for somebody to put right, and the events wait for that.
FINAL = frozenset({400, 413, 415, 422})
#: bytes of an answer that are read, and told
LONGEST, EXCERPT = 1 << 16, 200


class Post:
    """One connection to one URL. It follows no redirection, and no proxy out of the environment.

    What it says of a failure goes to the log: without the URL's query, which may hold a token, and with the receiver's
    words `masked`, which may repeat a number.
    """

    def __init__(
        self, url: str, *, ca_file: Path | None, timeout_s: float, masked: Callable[[str], str]
    ) -> None:
        self._url = url
        self._shown = without_query(url)
        self._masked = masked
        self._client = httpx.Client(verify=trusted(ca_file), timeout=timeout_s, trust_env=False)

    def send(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        """The body of a good answer. Raises Away, Refused."""
        said = b""
        try:
            with self._client.stream("POST", self._url, content=body, headers=dict(headers)) as answer:
                for part in answer.iter_bytes():
                    said += part
                    if len(said) > LONGEST:
                        break
        except httpx.HTTPError as error:
            raise Away(f"{self._shown}: {type(error).__name__}: {error}") from None
        if answer.is_success:
            return said
        words = self._masked(" ".join(said.decode(errors="replace").split()))[:EXCERPT]
        problem = f"{self._shown}: {answer.status_code} {words}".rstrip()
        if answer.status_code in FINAL:
            raise Refused(problem)
        raise Away(problem, retry_after(answer.headers.get("retry-after", "")))

    def close(self) -> None:
        self._client.close()


def retry_after(value: str) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110 section 10.2.3); 0 for none and for what is none."""
    if value.isdecimal():
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return 0.0
