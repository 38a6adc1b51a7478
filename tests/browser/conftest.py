"""The desk of browser tests that plan and carry out visits."""

from collections.abc import Iterator

import pytest

from tests.conftest import locked, run_dir
from tests.serving import Server, serving, staffed_copy


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real app on a working morning, of one module alone."""
    with locked("staffed"):
        var_dir = staffed_copy(run_dir(), tmp_path_factory.mktemp("morning"))
    with serving(var_dir, "--empty", module="tests.daytime") as running:
        yield running
