"""The open cases, next breach first: what the hotline and the dispatchers look at all day."""

from lib.tickets.queue import read_queue
from lib.ui import doors, menu
from lib.ui.components import queue, queue_commands

actor = doors.enter("tickets_queue")
page = doors.read(
    read_queue,
    where=queue.asked_filter(),
    after=queue.asked_place("after"),
    before=queue.asked_place("before"),
)
may_enter = menu.entry("tickets_entry").is_for(actor.roles)
opened = queue.show(page, may_enter=may_enter, may=queue_commands.allowed(actor.roles))
if opened == queue.NEW:
    menu.go("tickets_entry")
if opened is not None:
    menu.go("tickets_detail", ticket=opened)
