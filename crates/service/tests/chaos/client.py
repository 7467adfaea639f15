"""A small HTTP client: one persistent connection from its own loopback address.

The addresses vary so that the default limits per address affect only attackers.
"""

import http.client
import json
import random
from dataclasses import dataclass

TOKENS = "/api/v2/personal_access_tokens"
VALIDATE = "/api/v2/validate_keys"
REPORTS = "/leaks/v1/reports"
OAUTH_REVOKE = "/oauth2/revoke"
# Number of requests after which a connection and its address are replaced.
REQUESTS_PER_ADDRESS = 40


class Unanswered(Exception):
    """No complete response: the request may have been carried out or not."""


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    body: bytes

    def json(self):
        """Returns the parsed body."""
        return json.loads(self.body)


class Client:
    """A client of one replica, for one thread."""

    def __init__(self, port, timeout, seed=None):
        self.port, self.timeout = port, timeout
        self._random = random.Random(seed)
        self._connection, self._left = None, 0

    def close(self):
        """Closes the connection; the next request opens another one from another address."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self):
        rng = self._random
        source = f"127.{rng.randrange(2, 250)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=self.timeout, source_address=(source, 0)
        )
        self._left = REQUESTS_PER_ADDRESS

    def request(self, method, path, token=None, body=None):
        """Sends a request and returns the response.

        A dictionary is sent as JSON, a string as a form. Raises [`Unanswered`].
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if isinstance(body, dict):
            headers["Content-Type"], body = "application/json", json.dumps(body).encode()
        elif body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if self._connection is None or self._left <= 0:
            self.close()
            self._open()
        self._left -= 1
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            answer = Answer(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unanswered(f"{type(error).__name__}: {error}") from error
        if answer.status in (401, 429):
            self._left = 0
        return answer

    def ask(self, method, path, token=None):
        """Sends a request that can be repeated, and repeats it if an idle connection was closed."""
        reused = self._connection is not None
        try:
            return self.request(method, path, token)
        except Unanswered:
            if not reused:
                raise
            return self.request(method, path, token)
