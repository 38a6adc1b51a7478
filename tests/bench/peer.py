"""A running django-helpdesk as a browser's client sees it: staff who create tickets, and read the page that follows."""

import re
import time
import urllib.parse
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection

from tests.bench.machine import cpu_seconds

TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')
FORM = "/tickets/submit/"


@dataclass(frozen=True)
class Pace:
    """Milliseconds of CPU of one operation, and operations a second."""

    cpu_ms: float
    a_second: float


class Peer:
    """`address` of the server, the process id of its first process, names of staff and the password of all."""

    def __init__(self, address: str, pid: int, people: Sequence[str], password: str) -> None:
        self._pid = pid
        self._clients = [Client(address, name, password) for name in people]

    def create(self, count: int) -> Pace:
        """Each of its people creates `count` tickets, all at once: up to the answer that follows the commit."""
        return self._weigh(count, Client.create)

    def create_and_read(self, count: int) -> Pace:
        """The same, and the ticket's page, where the browser is sent."""
        return self._weigh(count, lambda client: client.read(client.create()))

    def _weigh(self, count: int, work: Callable[["Client"], object]) -> Pace:
        def several(client: Client) -> None:
            for _ in range(count):
                work(client)

        cases = count * len(self._clients)
        with ThreadPoolExecutor(len(self._clients)) as threads:
            before, began = cpu_seconds(self._pid), time.monotonic()
            for _ in threads.map(several, self._clients):
                pass
            took = time.monotonic() - began
        return Pace((cpu_seconds(self._pid) - before) * 1000 / cases, cases / took)


class Client:
    """One signed-in browser."""

    def __init__(self, address: str, name: str, password: str) -> None:
        self._host = urllib.parse.urlsplit(address).netloc
        self._cookies: dict[str, str] = {}
        told = {
            "username": name,
            "password": password,
            "csrfmiddlewaretoken": self._token("/login/"),
        }
        assert self._ask("POST", "/login/", told)[0] == 302, "the peer refused the sign-in"
        self._form = self._token(FORM)

    def create(self) -> str:
        """Create a ticket; the address of its page."""
        told = {
            "csrfmiddlewaretoken": self._form,
            "queue": "1",
            "title": "noise",
            "body": "It clatters when it opens and closes, a guest complains.",
            "priority": "3",
            "submitter_email": "guest@example.com",
        }
        status, place, _ = self._ask("POST", FORM, told)
        assert status == 302, f"the peer refused the ticket: {status}"
        return place

    def read(self, place: str) -> None:
        """Read a page."""
        assert self._ask("GET", place)[0] == 200

    def _token(self, place: str) -> str:
        found = TOKEN.search(self._ask("GET", place)[2])
        assert found is not None, f"no form at {place}"
        return found[1].decode()

    def _ask(
        self, method: str, place: str, told: dict[str, str] | None = None
    ) -> tuple[int, str, bytes]:
        connection = HTTPConnection(self._host, timeout=60)
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {"Cookie": cookies, "Referer": f"http://{self._host}/"}
        body = None
        if told is not None:
            body = urllib.parse.urlencode(told)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, place, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        for given in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = given.partition(";")[0].partition("=")
            self._cookies[name] = value
        connection.close()
        return answer.status, answer.headers.get("Location", ""), content
