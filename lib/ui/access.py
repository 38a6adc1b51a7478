"""Who may do what, derived from its two sources: the roles of the pages, and the permits of the actions."""

import pkgutil
from dataclasses import dataclass
from importlib import import_module

import lib
from db.codes import Role
from lib.shared.work import PERMITTED_ACTIONS, permit_of
from lib.ui import menu


@dataclass(frozen=True, slots=True)
class Access:
    """A page or an action, and who may open or run it."""

    name: str
    roles: frozenset[Role]
    everyone: bool = False
    guests: bool = False

    def mark(self, role: Role) -> str:
        return "x" if self.everyone or role in self.roles else ""


def pages() -> list[Access]:
    """The pages of the menu that exist."""
    return [Access(each.name, each.roles, each.everyone) for each in menu.registered()]


def actions() -> list[Access]:
    """Every action of every room, by name; those without any role are the system's own."""
    for room in pkgutil.iter_modules(lib.__path__):
        if room.ispkg and room.name not in {"ui", "web"}:
            package = import_module(f"lib.{room.name}")
            for module in pkgutil.iter_modules(package.__path__):
                import_module(f"lib.{room.name}.{module.name}")
    permits = {name: permit_of(action) for name, action in sorted(PERMITTED_ACTIONS.items())}
    return [
        Access(name, permitted.roles, permitted.everyone, permitted.guests)
        for name, permitted in permits.items()
    ]


def table() -> str:
    """The whole table as plain text, for `./run access`."""
    rows = [("PAGES", pages()), ("ACTIONS", actions())]
    width = max(len(each.name) for _, group in rows for each in group)
    heads = [role.value for role in Role]
    lines = []
    for title, group in rows:
        lines.append(f"{title:<{width}}  " + "  ".join(heads) + "  guest")
        for each in group:
            marks = "  ".join(f"{each.mark(role):^{len(role.value)}}" for role in Role)
            lines.append(f"{each.name:<{width}}  {marks}  {'x' if each.guests else '':^5}".rstrip())
        lines.append("")
    return "\n".join(lines)
