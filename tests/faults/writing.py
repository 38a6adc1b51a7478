"""A process that writes without end, to be killed: `writing ADDRESS HISTORY_FOLDER THREADS`.

Before each write it tells its history file what it will do, and after the answer what it was; both lines are handed
to the operating system at once, so that they outlive the process.
"""

import json
import os
import random
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from db import session as database
from db.codes import Channel, FaultCode, Priority
from db.models.people import Person
from lib.shared import clock
from lib.shared.work import Actor, actor_of, perform
from lib.stock import actions as stock
from lib.tickets import actions as tickets
from tests.cast import login_of

ACTIONS = {
    "open": ("hotline", tickets.open_ticket),
    "contact": ("hotline", tickets.log_contact),
    "note": ("hotline", tickets.add_note),
    "receive": ("storekeeper", stock.receive_part),
}


def actor(part: str) -> Actor:
    with database.ReadSession() as session:
        return actor_of(session.scalars(select(Person).where(Person.login == login_of(part))).one())


def carry_out(intent: dict[str, Any], actors: dict[str, Actor]) -> Any:
    """Do what a line of history says, under its key; also for a retry."""
    part, action = ACTIONS[intent["do"]]
    arguments = dict(intent["arguments"])
    if intent["do"] == "open":
        arguments |= {
            "channel": Channel(arguments["channel"]),
            "fault": FaultCode(arguments["fault"]),
            "priority": Priority(arguments["priority"]),
            "received_at": datetime.fromisoformat(arguments["received_at"]),
        }
    now = datetime.fromisoformat(intent["now"])
    return perform(action, actor=actors[part], now=now, key=intent["key"], **arguments)


class Writer:
    """One thread's endless work on cases of its own."""

    def __init__(self, folder: Path, name: str, actors: dict[str, Actor], customer_id: int) -> None:
        self._file = os.open(folder / f"{name}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._actors, self._customer_id = actors, customer_id
        self._chance = random.Random(name)
        self._opened: dict[int, int] = {}

    def tell(self, **line: Any) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def run(self) -> None:
        while True:
            do, arguments = self._next()
            now = clock.now()
            intent = {
                "key": uuid4().hex,
                "do": do,
                "now": now.isoformat(),
                "arguments": arguments,
            }
            self.tell(**intent)
            answer = carry_out(intent, self._actors)
            self.tell(key=intent["key"], answer=answer)
            if do == "open":
                self._opened[answer] = 1
            elif do == "contact":
                # The first contact changes the case's state, further ones only its timeline.
                self._opened[arguments["ticket_id"]] = 2

    def _next(self) -> tuple[str, dict[str, Any]]:
        do = self._chance.choice(("open", "contact", "note", "receive"))
        if do == "receive":
            return do, {"part_id": 1, "quantity": self._chance.randint(1, 9)}
        if do == "open" or not self._opened:
            return "open", {
                "customer_id": self._customer_id,
                "contact_id": None,
                "site_id": None,
                "item_id": None,
                "channel": "phone",
                "received_at": (clock.now() - timedelta(minutes=1)).isoformat(),
                "fault": "noise",
                "words": "有异响",
                "priority": "p2",
            }
        ticket_id = self._chance.choice(list(self._opened))
        arguments: dict[str, Any] = {"ticket_id": ticket_id, "words": "已联系"}
        if do == "contact":
            arguments["version"] = self._opened[ticket_id]
        return do, arguments


def main(address: str, folder: Path, threads: int) -> None:
    database.configure(address)
    actors = {part: actor(part) for part, _ in ACTIONS.values()}
    writers = [
        Writer(folder, f"{os.getpid()}-{nth}", actors, customer_id=1) for nth in range(threads)
    ]
    running = [threading.Thread(target=writer.run) for writer in writers]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
