"""The cases of the sample story: threads that take a call and carry it as far as the plan says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from sqlalchemy import bindparam, select

from db.codes import (
    Channel,
    FaultCode,
    Priority,
    ReturnCallResult,
    ReturnCallState,
    VisitOutcome,
    WaitingFor,
)
from db.models.feedback import SurveyInvitation
from db.models.tickets import ReturnCall, Ticket
from db.models.visits import Visit
from lib.demo import words
from lib.demo.stage import VISIT, Stage, Telling
from lib.feedback import actions as feedback
from lib.feedback.rules import survey_token
from lib.shared.clock import SHANGHAI
from lib.shared.settings import key
from lib.shared.work import Actor, ask, guest
from lib.tickets import actions as tickets
from lib.tickets import intake
from lib.tickets.rules import USUAL_WAIT
from lib.visits import actions as visits

WRITTEN = (Channel.WEB, Channel.EMAIL)
"""Nobody has spoken to the customer yet, as a call that was answered would have."""

OPEN_RETURN_CALL = select(ReturnCall.id, ReturnCall.version).where(
    ReturnCall.ticket_id == bindparam("of_ticket"), ReturnCall.state == ReturnCallState.OPEN
)

DAY = 9 * 60
"""Working minutes of a day."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case happens: ids of a customer, his contact, site and item, and what may break there."""

    customer_id: int
    contact_id: int
    site_id: int
    item_id: int
    faults: tuple[FaultCode, ...]


@dataclass
class Crew:
    """Who works in the story, and what lies on the shelves as far as the story has come."""

    hotline: list[Actor]
    dispatcher: Actor
    technicians: dict[int, Actor]
    storekeeper: Actor
    supervisor: Actor
    places: list[Place]
    parts: dict[FaultCode, list[int]]
    on_hand: dict[int, int] = field(default_factory=dict)


@dataclass
class Case:
    """One case on its way through the story."""

    stage: Stage
    crew: Crew
    id: int = field(default=0, init=False)
    visit_id: int = field(default=0, init=False)
    fault: FaultCode = field(default=FaultCode.OTHER, init=False)
    agent: Actor = field(init=False)

    def open(self, received_at: datetime, channel: Channel, item_known: bool) -> None:
        stage = self.stage
        place = stage.pick(self.crew.places)
        self.fault = stage.pick(place.faults)
        self.agent = stage.pick(self.crew.hotline)
        priority = stage.chance.choices(
            (Priority.P1, Priority.P2, Priority.P3, Priority.P4), (1, 4, 8, 2)
        )[0]
        self.id = stage.do(
            intake.take_call,
            self.agent,
            caller=intake.Caller(place.customer_id, contact_id=place.contact_id),
            place=intake.Place(place.site_id, item_id=place.item_id if item_known else None),
            channel=channel,
            received_at=received_at,
            fault=self.fault,
            words=stage.pick(words.COMPLAINTS[self.fault]),
            priority=priority,
        )

    def step(self, action: Callable[..., object], by: Actor, **arguments: object) -> None:
        version = self.stage.row(Ticket, self.id).version
        self.stage.do(action, by, ticket_id=self.id, version=version, **arguments)

    def contact(self) -> None:
        told = self.stage.pick(words.CONTACT_WORDS)
        self.step(tickets.log_contact, self.agent, words=told)

    def note(self) -> None:
        told = self.stage.pick(words.NOTES)
        self.stage.do(tickets.add_note, self.agent, ticket_id=self.id, words=told)

    def assign(self, technician: int) -> None:
        self.step(tickets.assign_technician, self.crew.dispatcher, technician_id=technician)

    def wait(self, waiting_for: WaitingFor) -> None:
        told = words.WAITING_WORDS[waiting_for]
        self.step(
            tickets.start_waiting,
            self.agent,
            waiting_for=waiting_for,
            words=told,
            until_at=self.stage.now + USUAL_WAIT[waiting_for],
        )

    def plan(self, technician: int, starts_at: datetime) -> int:
        version = self.stage.row(Ticket, self.id).version
        visit_id: int = self.stage.do(
            visits.plan_visit,
            self.crew.dispatcher,
            ticket_id=self.id,
            version=version,
            technician_id=technician,
            starts_at=starts_at,
            minutes=int(VISIT.total_seconds() // 60),
        )
        return visit_id

    def carry_out(self, visit_id: int, outcome: VisitOutcome) -> Telling:
        """Set out, arrive, work, finish; ends at the instant of finishing."""
        if self.stage.happens(0.7):
            # Some technicians forget to tell that they are on the way.
            yield self.set_out_at(visit_id)
            self.set_out(visit_id)
        yield self.arrive_at(visit_id)
        self.arrive(visit_id)
        yield self.stage.now + timedelta(minutes=self.stage.chance.randint(35, 70))
        self.finish(visit_id, outcome)

    def set_out_at(self, visit_id: int) -> datetime:
        starts_at: datetime = self.stage.row(Visit, visit_id).starts_at
        return starts_at - timedelta(minutes=self.stage.chance.randint(20, 40))

    def arrive_at(self, visit_id: int) -> datetime:
        late = self.stage.chance.choices((-5, 0, 4, 12, 35), (3, 5, 4, 2, 1))[0]
        starts_at: datetime = self.stage.row(Visit, visit_id).starts_at
        return starts_at + timedelta(minutes=late)

    def visit_step(self, action: Callable[..., object], visit_id: int, **arguments: object) -> None:
        visit = self.stage.row(Visit, visit_id)
        by = self.crew.technicians[visit.technician_id]
        self.stage.do(action, by, visit_id=visit_id, **arguments)

    def set_out(self, visit_id: int) -> None:
        version = self.stage.row(Visit, visit_id).version
        self.visit_step(visits.set_out, visit_id, version=version)

    def arrive(self, visit_id: int) -> None:
        version = self.stage.row(Visit, visit_id).version
        self.visit_step(visits.arrive, visit_id, version=version)

    def finish(self, visit_id: int, outcome: VisitOutcome) -> None:
        stage = self.stage
        if outcome is VisitOutcome.FIXED:
            self.use_parts(visit_id)
        if stage.happens(0.12):
            self.visit_step(visits.add_photo, visit_id, sent=stage.pick(stage.photos))
        fixed = outcome is VisitOutcome.FIXED
        report = {
            VisitOutcome.WAITING_PARTS: words.WAITING_PARTS_REPORT,
            VisitOutcome.WAITING_CUSTOMER: words.WAITING_CUSTOMER_REPORT,
            VisitOutcome.WAITING_MAKER: words.WAITING_MAKER_REPORT,
        }.get(outcome) or stage.pick(words.REPORTS[self.fault])
        self.visit_step(
            visits.finish_visit,
            visit_id,
            version=stage.row(Visit, visit_id).version,
            report=report,
            outcome=outcome,
            signed_by=stage.pick(("前台", "工程部", "客房部", "值班经理")) if fixed else "",
            signature=stage.pick(stage.signatures) if fixed else None,
        )

    def use_parts(self, visit_id: int) -> None:
        """Most repairs need one kind of part; a motor comes alone, runners by the dozen."""
        on_shelf = [part for part in self.crew.parts.get(self.fault, ()) if self.crew.on_hand[part]]
        if not on_shelf or not self.stage.happens(0.6):
            return
        part_id = self.stage.pick(on_shelf)
        plenty = self.crew.on_hand[part_id] > 30
        quantity = self.stage.chance.randint(2, 8) if plenty else 1
        self.visit_step(visits.use_part, visit_id, part_id=part_id, quantity=quantity)
        self.crew.on_hand[part_id] -= quantity

    def call_back(self, result: ReturnCallResult) -> int | None:
        """One try of the return call; the survey's invitation when the case closes."""
        call = ask(self.stage.steps.session, OPEN_RETURN_CALL, of_ticket=self.id).one()
        outcome = self.stage.do(
            feedback.finish_return_call,
            self.agent,
            return_call_id=call.id,
            version=call.version,
            result=result,
            words=self.stage.pick(words.CALL_WORDS[result]),
        )
        invitation_id: int | None = outcome["invitation_id"]
        return invitation_id

    def answer(self, invitation_id: int, satisfaction: int) -> None:
        stage = self.stage
        invitation = stage.row(SurveyInvitation, invitation_id)
        token = survey_token(
            key(feedback.KEY_NAME), invitation.ticket_id, invitation.cycle, invitation.nonce
        )
        near = [max(1, min(5, satisfaction + stage.chance.choice((-1, 0, 0, 1)))) for _ in range(2)]
        stage.do(
            feedback.answer_survey,
            guest("survey"),
            token=token,
            satisfaction=satisfaction,
            punctuality=near[0] if stage.happens(0.8) else None,
            quality=near[1] if stage.happens(0.8) else None,
            words=stage.pick(words.SURVEY_WORDS),
        )


def closed_case(case: Case, received_at: datetime, *, eventful: bool) -> Telling:
    """A whole case from the call to the survey: eight working days at most, thirty when `eventful`."""
    stage, chance = case.stage, case.stage.chance
    channel, typed_after = stage.chance.choices(
        (
            (Channel.PHONE, chance.randint(0, 3)),
            (Channel.EMAIL, chance.randint(4, 25)),
            (Channel.WEB, chance.randint(2, 15)),
            (Channel.FAX, chance.randint(5, 30)),
            (Channel.VISIT, 0),
            (Channel.OTHER, chance.randint(0, 10)),
        ),
        (62, 12, 12, 5, 4, 5),
    )[0]
    yield stage.after(received_at, typed_after)
    case.open(received_at, channel, stage.happens(0.9))
    late = stage.happens(0.09)
    yield stage.after(
        received_at, typed_after + (chance.randint(31, 110) if late else chance.randint(1, 6))
    )
    case.contact()
    if stage.happens(0.15):
        case.note()
    if not eventful and stage.happens(0.06):
        yield stage.after(stage.now, chance.randint(30, 240))
        told, reason = stage.pick(words.CANCEL_WORDS)
        case.step(tickets.cancel_ticket, case.agent, reason=reason, words=told)
        return
    if not eventful and stage.happens(0.45):
        yield stage.after(stage.now, chance.randint(5, 60))
        case.step(tickets.complete_ticket, case.agent, words=stage.pick(words.REMOTE_FIXED))
    else:
        if eventful and stage.happens(0.3):
            yield from paused(case, stage.pick((WaitingFor.CUSTOMER, WaitingFor.APPRAISAL)))
        yield from visited(case, eventful=eventful, patience=chance.choice((2, 3, 4, 6, 8, 20)))
    if eventful and stage.happens(0.45):
        yield stage.after(stage.now, chance.randint(200, DAY))
        case.call_back(ReturnCallResult.NOT_FIXED)
        yield from visited(case, eventful=False, patience=3)
    yield from called_back(case)


def paused(case: Case, waiting_for: WaitingFor) -> Telling:
    """The case waits, then goes on."""
    yield case.stage.after(case.stage.now, case.stage.chance.randint(10, 60))
    case.wait(waiting_for)
    yield case.stage.after(case.stage.now, case.stage.chance.randint(DAY, 3 * DAY))
    case.step(tickets.end_waiting, case.crew.dispatcher)


def visited(case: Case, *, eventful: bool, patience: int) -> Telling:
    """Planned and mended at the first visit, or at the second when `eventful`.

    patience: hours from the plan to the earliest visit.
    """
    stage, chance = case.stage, case.stage.chance
    yield stage.after(stage.now, chance.randint(4, 40))
    technician, starts_at = stage.free_slot(
        list(case.crew.technicians), stage.after(stage.now, patience * 60)
    )
    if stage.happens(0.4):
        # More often the visit itself names the technician.
        case.assign(technician)
        yield stage.after(stage.now, chance.randint(1, 15))
    visit_id = case.plan(technician, starts_at)
    if not eventful:
        yield from case.carry_out(visit_id, VisitOutcome.FIXED)
        return
    if stage.happens(0.2):
        yield starts_at - timedelta(minutes=50)
        stage.do(
            visits.cancel_visit,
            case.crew.dispatcher,
            visit_id=visit_id,
            version=stage.row(Visit, visit_id).version,
            reason=stage.pick(words.VISIT_CANCELLED),
        )
    else:
        outcome = chance.choices(
            (
                VisitOutcome.WAITING_PARTS,
                VisitOutcome.WAITING_CUSTOMER,
                VisitOutcome.WAITING_MAKER,
            ),
            (6, 2, 1),
        )[0]
        yield from case.carry_out(visit_id, outcome)
        yield stage.after(stage.now, chance.randint(DAY, 4 * DAY))
    again, starts_at = stage.free_slot([technician], stage.after(stage.now, 120))
    visit_id = case.plan(again, starts_at)
    yield from case.carry_out(visit_id, VisitOutcome.FIXED)


def called_back(case: Case) -> Telling:
    """Called until the case closes, then perhaps an answer to the survey."""
    stage, chance = case.stage, case.stage.chance
    result = ReturnCallResult.NO_ANSWER
    tries = 0
    invitation_id = None
    while result is ReturnCallResult.NO_ANSWER and tries < 3:
        tries += 1
        yield stage.after(stage.now, chance.choices((200, 400, 500, 700), (3, 5, 4, 1))[0])
        result = chance.choices(
            (ReturnCallResult.FIXED, ReturnCallResult.NO_ANSWER, ReturnCallResult.DECLINED),
            (82, 15, 3),
        )[0]
        invitation_id = case.call_back(result)
    if invitation_id is not None and stage.happens(0.45):
        yield stage.now + timedelta(hours=chance.randint(1, 120))
        case.answer(invitation_id, chance.choices((5, 4, 3, 2, 1), (52, 31, 10, 4, 3))[0])


def taken(
    case: Case,
    minutes_ago: float,
    *,
    contacted_after: float | None = None,
    channels: tuple[Channel, ...] = (Channel.PHONE, Channel.PHONE, Channel.WEB),
) -> Telling:
    """An open case that came so many working minutes before the end of the story."""
    stage = case.stage
    received_at = stage.ago(minutes_ago)
    yield received_at
    case.open(received_at, stage.pick(channels), True)
    if contacted_after is not None:
        yield stage.ago(minutes_ago - contacted_after)
        case.contact()


def just_taken(case: Case) -> Telling:
    """The first response runs, due within half an hour."""
    yield from taken(case, case.stage.chance.uniform(2, 26), channels=WRITTEN)


def not_yet_answered(case: Case) -> Telling:
    """The first response is overdue."""
    yield from taken(case, case.stage.chance.uniform(35, 150), channels=WRITTEN)


def answered(case: Case) -> Telling:
    """The resolution runs."""
    ago = case.stage.chance.uniform(60, 2 * DAY)
    yield from taken(case, ago, contacted_after=case.stage.chance.uniform(3, 25))


def assigned(case: Case) -> Telling:
    """Sent on to a technician who has not spoken to the customer yet."""
    ago = case.stage.chance.uniform(8, 45)
    yield from taken(case, ago)
    yield case.stage.ago(ago - 6)
    case.assign(case.stage.pick(list(case.crew.technicians)))


def due_soon(case: Case) -> Telling:
    """The resolution is due within the hour."""
    ago = 3 * DAY - case.stage.chance.uniform(4, 56)
    yield from taken(case, ago, contacted_after=12)
    yield case.stage.ago(ago - 90)
    case.assign(case.stage.pick(list(case.crew.technicians)))


def overdue(case: Case) -> Telling:
    """The resolution was due hours or days ago."""
    ago = 3 * DAY + case.stage.chance.uniform(20, 3 * DAY)
    yield from taken(case, ago, contacted_after=case.stage.chance.uniform(10, 50))
    yield case.stage.ago(ago - 120)
    case.assign(case.stage.pick(list(case.crew.technicians)))


def waits(waiting_for: WaitingFor) -> Callable[[Case], Telling]:
    """Waiting for somebody."""

    def told(case: Case) -> Telling:
        ago = case.stage.chance.uniform(DAY, 6 * DAY)
        yield from taken(case, ago, contacted_after=18)
        yield case.stage.ago(ago - case.stage.chance.uniform(60, DAY - 60))
        case.wait(waiting_for)

    return told


def visit_to_come(case: Case) -> Telling:
    """A visit is planned on one of the next days."""
    stage = case.stage
    tomorrow = datetime.combine(
        stage.end.astimezone(SHANGHAI).date() + timedelta(days=1), time(), SHANGHAI
    )
    technician, starts_at = stage.free_slot(
        list(case.crew.technicians), tomorrow + timedelta(days=stage.chance.randint(0, 2))
    )
    yield from planned(case, technician, starts_at)


def planned(case: Case, technician: int, starts_at: datetime) -> Telling:
    """Taken and planned at least half a day before."""
    ago = case.stage.chance.uniform(1.2 * DAY, 2.2 * DAY)
    yield from taken(case, ago, contacted_after=15)
    yield case.stage.ago(ago - 45)
    case.assign(technician)
    case.visit_id = case.plan(technician, starts_at)


def return_call_due(case: Case) -> Telling:
    """Completed by telephone, the customer is to be called back; some are overdue, some tried once."""
    stage = case.stage
    ago = stage.chance.uniform(1.1 * DAY, 2.5 * DAY)
    yield from taken(case, ago, contacted_after=9)
    done = ago - stage.chance.uniform(30, 200)
    yield stage.ago(done)
    case.step(tickets.complete_ticket, case.agent, words=stage.pick(words.REMOTE_FIXED))
    if stage.happens(0.4):
        yield stage.ago(done / 2)
        case.call_back(ReturnCallResult.NO_ANSWER)


def reopened(case: Case) -> Telling:
    """Not fixed: in its second cycle."""
    stage = case.stage
    yield from taken(case, 4 * DAY, contacted_after=14)
    yield stage.ago(4 * DAY - 60)
    case.assign(stage.pick(list(case.crew.technicians)))
    yield stage.ago(3 * DAY)
    case.step(tickets.complete_ticket, case.crew.supervisor, words=stage.pick(words.REMOTE_FIXED))
    yield stage.ago(stage.chance.uniform(60, 2 * DAY))
    case.call_back(ReturnCallResult.NOT_FIXED)


OPEN_PLANS: tuple[tuple[Callable[[Case], Telling], int], ...] = (
    (just_taken, 5),
    (not_yet_answered, 4),
    (answered, 7),
    (assigned, 3),
    (due_soon, 4),
    (overdue, 6),
    (waits(WaitingFor.PARTS), 4),
    (waits(WaitingFor.CUSTOMER), 4),
    (waits(WaitingFor.APPRAISAL), 1),
    (waits(WaitingFor.MAKER), 2),
    (visit_to_come, 5),
    (return_call_due, 3),
    (reopened, 2),
)
"""How open cases stand at the end of the story, and how often; today's visits come on top."""


def todays_visits(stage: Stage, crew: Crew, count: int) -> list[tuple[int, datetime]]:
    """Technician and start of today's visits, from the morning to the evening around the end of the story.

    On a night shift the day is the one that has begun; visits that lie before 8:30 or after 18:30 are left out.
    """
    local = stage.end.astimezone(SHANGHAI)
    first = datetime.combine(local.date(), time(8, 30), SHANGHAI)
    last = datetime.combine(local.date(), time(18, 30), SHANGHAI)
    quarter = timedelta(minutes=15)
    around = stage.end - (stage.end - first) % quarter
    found = []
    for nth in (-1, 1, 0, 2, -2, 3, -3, 4):
        for place, technician in enumerate(crew.technicians):
            starts_at = around + nth * timedelta(minutes=105) + (2 * place - 2) * quarter
            if first <= starts_at <= last:
                found.append((technician, starts_at))
    return found[:count]


def todays_case(case: Case, technician: int, starts_at: datetime) -> Telling:
    """A visit of today: done, under way or still to come, as the hour has it."""
    yield from planned(case, technician, starts_at)
    yield from case.carry_out(case.visit_id, VisitOutcome.FIXED)
