"""The open cases, next breach first: what the hotline and the dispatchers look at all day."""

from lib.tickets.views import read_list
from lib.ui import doors, menu
from lib.ui.components import queue, queue_commands

actor = doors.enter("tickets_queue")
page, saved = doors.read(
    read_list,
    where=queue.asked_filter(),
    after=queue.asked_place("after"),
    before=queue.asked_place("before"),
)
may_enter = menu.entry("tickets_entry").is_for(actor.roles)
opened = queue.show(page, saved, may_enter=may_enter, may=queue_commands.allowed(actor.roles))
if opened == queue.NEW:
    menu.go("tickets_entry")
if opened is not None:
    menu.go("tickets_detail", ticket=opened)
