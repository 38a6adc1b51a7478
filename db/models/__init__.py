"""Every table, imported here so that the metadata is whole."""

from db.models import (
    calendars,
    customers,
    feedback,
    items,
    messages,
    people,
    reports,
    stock,
    tickets,
    visits,
)
from db.models.base import Base

__all__ = [
    "Base",
    "calendars",
    "customers",
    "feedback",
    "items",
    "messages",
    "people",
    "reports",
    "stock",
    "tickets",
    "visits",
]
