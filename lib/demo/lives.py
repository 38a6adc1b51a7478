"""The whole life of a case in one breath: its facts in order, drawn by chance, as the verbs would have written them."""

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from db.codes import (
    CancelReason,
    Channel,
    EventKind,
    FaultCode,
    Priority,
    ReturnCallResult,
    TicketStatus,
    WaitingFor,
)
from lib.demo import words
from lib.shared.calendar import WorkingCalendar, moment
from lib.tickets.rules import Fact

S = TicketStatus
HOUR = 3600
LONGEST = 100 * HOUR
"""Working seconds after which every closed case is over."""

CHANNELS = (*[Channel.PHONE] * 7, Channel.EMAIL, Channel.FAX, Channel.WEB)
PRIORITIES = (*[Priority.P3] * 10, *[Priority.P2] * 4, Priority.P4, Priority.P1)
WAITS = (WaitingFor.PARTS, WaitingFor.CUSTOMER, WaitingFor.MAKER)
CANCELS = (CancelReason.NOT_NEEDED, CancelReason.DUPLICATE, CancelReason.OTHER)


@dataclass(slots=True)
class Call:
    """A return call; `ended_at` and `result` None while it is open."""

    cycle: int
    opened_at: datetime
    ended_at: datetime | None = None
    result: ReturnCallResult | None = None


@dataclass(slots=True)
class Life:
    """A case and its facts; `told` holds cycle and words for each of `facts`."""

    received_at: datetime
    channel: Channel
    priority: Priority
    fault: FaultCode
    words: str
    status: TicketStatus = S.NEW
    waiting_for: WaitingFor | None = None
    technician_id: int | None = None
    owner_id: int | None = None
    cycle: int = 1
    completed_at: datetime | None = None
    closed_at: datetime | None = None
    cancel_reason: CancelReason | None = None
    facts: list[Fact] = field(default_factory=list)
    told: list[tuple[int, str]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)


class Teller:
    """Tells lives by one chance; the same seed and people tell the same ones."""

    def __init__(
        self,
        chance: random.Random,
        calendar: WorkingCalendar,
        hotline: list[int],
        technicians: list[int],
    ) -> None:
        self._chance = chance
        self._calendar = calendar
        self._hotline, self._technicians = hotline, technicians
        self._faults = list(words.COMPLAINTS)

    def closed(self, received: int) -> Life:
        """A life from `received` (counted working seconds of the calendar) to its end."""
        chance, second = self._chance, self._calendar.instant_of(received)
        if chance.random() < 0.08:
            second += chance.randrange(14 * HOUR)
        life = self._begun(second)
        at = self._calendar.counted_until(second)
        agent = life.owner_id
        if chance.random() < 0.02:
            at += chance.randrange(600, 20 * HOUR)
            life.cancel_reason = chance.choice(CANCELS)
            self._step(
                life,
                EventKind.CANCELLED,
                at,
                S.CANCELLED,
                agent,
                chance.choice(words.CANCEL_WORDS)[0],
                details={"reason": life.cancel_reason.value},
            )
            life.closed_at = life.facts[-1].at
            return life
        at = self._worked_on(life, at)
        at = self._completed(life, at)
        if chance.random() < 0.04:
            at += chance.randrange(HOUR, 8 * HOUR)
            self._called(life, at, ReturnCallResult.NOT_FIXED)
            life.cycle += 1
            life.completed_at = None
            self._step(life, EventKind.REOPENED, at + 1, S.ASSIGNED, agent)
            at = self._completed(life, at + chance.randrange(2, 12 * HOUR))
        at += chance.randrange(HOUR, 10 * HOUR)
        self._called(life, at, ReturnCallResult.FIXED)
        self._step(life, EventKind.CLOSED, at, S.CLOSED, agent)
        life.closed_at = life.facts[-1].at
        return life

    def open(self, received: int, now: int) -> Life:
        """A life that goes on at `now`: new, with a technician, waiting, or completed and to be called."""
        chance = self._chance
        life = self._begun(self._calendar.instant_of(received))
        kind = chance.random()
        at = received + min(int(chance.expovariate(1 / 900)) + 60, max((now - received) // 2, 1))
        if kind < 0.22 or at + 2 > now:
            return life
        self._assigned(life, at)
        at += min(int(chance.expovariate(1 / 900)) + 60, max((now - at) // 2, 1))
        if kind < 0.5 or at + 2 > now:
            return life
        self._contacted(life, at)
        at += max((now - at) // 2, 1)
        if kind < 0.72 or at + 2 > now:
            return life
        if kind < 0.87:
            self._waits(life, at)
        else:
            self._completed(life, at)
        return life

    def _begun(self, second: int) -> Life:
        chance = self._chance
        fault = chance.choice(self._faults)
        lot = f"F{chance.randrange(2101, 2612)}-{chance.randrange(100, 1000)}"
        told = f"{chance.choice(words.ROOMS)}，{chance.choice(words.COMPLAINTS[fault])}布料批号 {lot}。"
        if chance.random() < 0.1:
            told += chance.choice(words.NOTES)
        life = Life(
            moment(second),
            chance.choice(CHANNELS),
            chance.choice(PRIORITIES),
            fault,
            told,
            owner_id=chance.choice(self._hotline),
        )
        fact = Fact(
            EventKind.RECEIVED,
            life.received_at,
            to_status=S.NEW,
            recorded_at=life.received_at,
            actor_id=life.owner_id,
            details={},
        )
        life.facts.append(fact)
        life.told.append((1, ""))
        return life

    def _worked_on(self, life: Life, at: int) -> int:
        """Assigned, contacted, and one in eight waits for somebody."""
        chance = self._chance
        at += int(chance.expovariate(1 / 400)) + 30
        self._assigned(life, at)
        at += int(chance.expovariate(1 / 500)) + 30
        self._contacted(life, at)
        if chance.random() < 0.12:
            at += chance.randrange(600, 4 * HOUR)
            self._waits(life, at)
            at += chance.randrange(HOUR, 12 * HOUR)
            waited_for, life.waiting_for = life.waiting_for, None
            self._step(
                life,
                EventKind.WAITING_ENDED,
                at,
                S.ASSIGNED,
                life.technician_id,
                waiting_for=waited_for,
            )
        return at + int(min(chance.expovariate(1 / (9 * HOUR)), 30 * HOUR)) + 300

    def _assigned(self, life: Life, at: int) -> None:
        life.technician_id = self._chance.choice(self._technicians)
        details = {"technician_id": life.technician_id}
        self._step(life, EventKind.ASSIGNED, at, S.ASSIGNED, life.owner_id, details=details)

    def _contacted(self, life: Life, at: int) -> None:
        told = self._chance.choice(words.CONTACT_WORDS)
        self._step(
            life, EventKind.CONTACTED, at, S.CONTACTED, life.technician_id, told, outbound=True
        )

    def _waits(self, life: Life, at: int) -> None:
        life.waiting_for = self._chance.choice(WAITS)
        self._step(
            life,
            EventKind.WAITING_STARTED,
            at,
            S.WAITING,
            life.technician_id,
            words.WAITING_WORDS[life.waiting_for],
            waiting_for=life.waiting_for,
        )

    def _completed(self, life: Life, at: int) -> int:
        told = self._chance.choice(words.REPORTS[life.fault])
        self._step(life, EventKind.COMPLETED, at, S.COMPLETED, life.technician_id, told)
        life.completed_at = life.facts[-1].at
        life.calls.append(Call(life.cycle, life.completed_at))
        return at

    def _called(self, life: Life, at: int, result: ReturnCallResult) -> None:
        details = {"result": result.value, "try": 1}
        told = words.CALL_WORDS[result][0]
        self._step(
            life,
            EventKind.RETURN_CALL,
            at,
            None,
            life.owner_id,
            told,
            outbound=True,
            details=details,
        )
        life.calls[-1].ended_at, life.calls[-1].result = life.facts[-1].at, result

    def _step(
        self,
        life: Life,
        kind: EventKind,
        at: int,
        to: TicketStatus | None,
        actor_id: int | None,
        told: str = "",
        *,
        waiting_for: WaitingFor | None = None,
        outbound: bool = False,
        details: dict[str, Any] | None = None,
    ) -> None:
        instant = moment(self._calendar.instant_of(at))
        before = None if to is None else life.status
        life.facts.append(
            Fact(kind, instant, waiting_for, outbound, to, before, instant, actor_id, details or {})
        )
        life.told.append((life.cycle, told))
        if to is not None:
            life.status = to
