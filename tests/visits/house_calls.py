"""A desk with a customer, a case and a clock that the test moves, for the tests of visits."""

import io
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from PIL import Image, ImageDraw

from db import session as store
from db.codes import Channel, FaultCode, ItemKind, Priority, VisitStatus
from db.models.customers import Contact, Customer, Site
from db.models.items import Item
from db.models.tickets import Ticket
from db.models.visits import Visit
from lib.shared.errors import Refusal
from lib.shared.work import Actor, look, perform, system
from lib.stock import actions as stock
from lib.tickets import actions as tickets
from lib.visits import actions, queries
from lib.visits.queries import VisitCard
from tests.cast import Cast

ADDRESS = "上海市浦东新区张江路 88 号 3 楼"
PHONE = "13800001234"


class Desk:
    """Runs actions the way the doors do."""

    def __init__(self, cast: Cast, now: datetime) -> None:
        self.cast, self.now = cast, now
        with store.writing() as session:
            customer = Customer(name="时刻科技有限公司", created_at=now)
            session.add(customer)
            session.flush()
            contact = Contact(customer_id=customer.id, name="张燕", phone=PHONE, created_at=now)
            site = Site(customer_id=customer.id, name="总部", address=ADDRESS, created_at=now)
            session.add_all([contact, site])
            session.flush()
            item = Item(
                site_id=site.id,
                kind=ItemKind.MOTOR_TRACK,
                name="电动轨道",
                room="会议室",
                warranty_start_on=date(2026, 1, 15),
                created_at=now,
            )
            session.add(item)
            session.flush()
            self.caller = {
                "customer_id": customer.id,
                "contact_id": contact.id,
                "site_id": site.id,
                "item_id": item.id,
            }

    def do(self, action: Any, *, by: Actor, **arguments: Any) -> Any:
        return perform(action, actor=by, now=self.now, **arguments)

    def refusal(self, action: Any, *, by: Actor, **arguments: Any) -> Refusal:
        with pytest.raises(Refusal) as caught:
            self.do(action, by=by, **arguments)
        return caught.value

    def ask(self, query: Any, *, by: Actor, **arguments: Any) -> Any:
        return look(query, actor=by, now=self.now, **arguments)

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)

    def a_case(self, **changes: Any) -> int:
        told = {
            "channel": Channel.PHONE,
            "received_at": self.now,
            "fault": FaultCode.MOTOR_DEAD,
            "words": "电机不转",
            "priority": Priority.P2,
        }
        return self.do(tickets.open_ticket, by=self.cast.hotline, **self.caller, **(told | changes))

    def ticket(self, ticket_id: int) -> Ticket:
        with store.ReadSession() as session:
            found = session.get(Ticket, ticket_id)
            assert found is not None
            return found

    def visit(self, visit_id: int) -> Visit:
        with store.ReadSession() as session:
            found = session.get(Visit, visit_id)
            assert found is not None
            return found

    def plan(
        self, ticket_id: int, *, hours: float = 1, minutes: int = 90, to: Actor | None = None
    ) -> int:
        """A visit that starts `hours` from now."""
        return self.do(
            actions.plan_visit,
            by=self.cast.dispatcher,
            **self.planned(ticket_id, hours, minutes, to),
        )

    def planned(
        self, ticket_id: int, hours: float = 1, minutes: int = 90, to: Actor | None = None
    ) -> dict[str, Any]:
        return {
            "ticket_id": ticket_id,
            "version": self.ticket(ticket_id).version,
            "technician_id": (to or self.cast.technician).person_id,
            "starts_at": self.now + timedelta(hours=hours),
            "minutes": minutes,
        }

    def step(self, action: Any, visit_id: int, *, by: Actor | None = None, **arguments: Any) -> Any:
        version = self.visit(visit_id).version
        return self.do(
            action, by=by or self.cast.technician, visit_id=visit_id, version=version, **arguments
        )

    def on_site(self) -> int:
        """A visit whose technician has arrived."""
        visit_id = self.plan(self.a_case())
        self.step(actions.set_out, visit_id)
        self.pass_time(hours=1)
        self.step(actions.arrive, visit_id)
        assert self.visit(visit_id).status is VisitStatus.ARRIVED
        return visit_id

    def a_part(self, on_hand: int) -> int:
        part_id = perform(
            stock.add_part, actor=system("test"), now=self.now, number="MOTOR-1", name="轨道电机"
        )
        perform(
            stock.receive_part,
            actor=system("test"),
            now=self.now,
            part_id=part_id,
            quantity=on_hand,
        )
        return part_id

    def card(self, visit_id: int, *, by: Actor | None = None) -> VisitCard:
        technician = by or self.cast.technician
        on = self.visit(visit_id).starts_at.date()
        [card] = [
            card
            for card in self.ask(queries.list_own_visits, by=technician, on=on)
            if card.id == visit_id
        ]
        return card


def a_photo(
    size: tuple[int, int] = (2400, 1800), kind: str = "JPEG", exif: bytes | None = None
) -> bytes:
    buffer = io.BytesIO()
    more = {"exif": exif} if exif else {}
    Image.effect_noise(size, 40).convert("RGB").save(buffer, kind, **more)
    return buffer.getvalue()


def a_signature(*, drawn: bool = True) -> bytes:
    image = Image.new("RGBA", (900, 300), (0, 0, 0, 0))
    if drawn:
        ImageDraw.Draw(image).line([(50, 200), (200, 80), (400, 220), (700, 60)], "black", 6)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
