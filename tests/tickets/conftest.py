"""A desk with one customer, for every test of the room that asks for it."""

from datetime import datetime

import pytest

from lib.shared.work import perform, system
from tests.tickets.desk import Desk, bring_customer
from tests.tickets.policy_desk import PolicyDesk


@pytest.fixture
def customer_id(database: str, now: datetime) -> int:
    return perform(bring_customer, actor=system("test"), now=now, name="华庭酒店")


@pytest.fixture
def desk(cast, now, customer_id):
    return Desk(cast, now, customer_id)


@pytest.fixture
def policy_desk(cast, now):
    return PolicyDesk(cast, now)
