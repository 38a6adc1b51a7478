from datetime import datetime

import pytest

from tests.cast import Cast
from tests.visits.house_calls import Desk


@pytest.fixture
def desk(cast: Cast, now: datetime) -> Desk:
    return Desk(cast, now)
