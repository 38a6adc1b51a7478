"""Purchasers, their contacts and sites."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from db.codes import CustomerLevel
from db.models.base import Base, code


class Customer(Base):
    """An organisation that bought. `search_key` holds lower-cased name, short name, pinyin and initials."""

    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), index=True)
    short_name: Mapped[str] = mapped_column(String(60), default="")
    search_key: Mapped[str] = mapped_column(String(600), default="")
    level: Mapped[CustomerLevel] = mapped_column(
        code(CustomerLevel), default=CustomerLevel.STANDARD, server_default="standard"
    )
    service_owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    sales_owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    remember: Mapped[str] = mapped_column(String(400), default="", server_default="")
    """What must not be forgotten when this customer calls (S-19)."""
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class Contact(Base):
    """A person at a customer. `phone_digits` is what a search by any fragment reads."""

    __tablename__ = "contacts"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    phone: Mapped[str] = mapped_column(String(40), default="")
    phone_digits: Mapped[str] = mapped_column(String(40), default="", index=True)
    email: Mapped[str] = mapped_column(String(120), default="")
    verified: Mapped[bool] = mapped_column(default=False)
    search_key: Mapped[str] = mapped_column(String(400), default="")
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class CallerKey(Base):
    """One way to find a customer (`contact_id` 0) or a contact; a search is a range of this primary key.

    Keys compare by code point on every store. Those of phones begin with `#`.
    """

    __tablename__ = "caller_keys"
    __table_args__ = {"sqlite_with_rowid": False}

    key: Mapped[str] = mapped_column(
        String(24).with_variant(String(24, collation="C"), "postgresql"), primary_key=True
    )
    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    contact_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Site(Base):
    """A place of a customer where items hang."""

    __tablename__ = "sites"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    address: Mapped[str] = mapped_column(String(240), default="")
    district: Mapped[str] = mapped_column(String(60), default="")
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}
