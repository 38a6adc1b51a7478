"""How often one client address may ask a public address: a bucket of tries that refills evenly."""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

MOST_KEPT = 10_000


class RateLimit:
    """At most `tries` at once and `tries` per `seconds` in the long run, per address, in this process."""

    def __init__(
        self, tries: int, seconds: float, *, ticking: Callable[[], float] = monotonic
    ) -> None:
        self._tries = tries
        self._per_second = tries / seconds
        self._ticking = ticking
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, address: str) -> bool:
        """Whether the address may try now; each yes takes one try."""
        key, now = _network(address), self._ticking()
        left, at = self._left.pop(key, (float(self._tries), now))
        left = min(self._tries, left + (now - at) * self._per_second)
        allowed = left >= 1
        self._left[key] = (left - 1 if allowed else left, now)
        while len(self._left) > MOST_KEPT:
            self._left.popitem(last=False)
        return allowed


def _network(address: str) -> str:
    """The address, for IPv6 its /64: one household holds that many addresses."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return str(ip)
    return str(ipaddress.ip_network((ip, 64), strict=False))
