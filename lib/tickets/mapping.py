"""What a mapping file may say about another desk's log; the format is told in mappings/README.md.

A mapping is read once, checked as a whole, and refused with the place and the reason when something is wrong.
"""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from db.codes import Channel, FaultCode, Priority, WaitingFor
from lib.shared.errors import Refusal

AS_WRITTEN = "as written"
"""The zone of times taken as Shanghai wall time, whatever offset stands behind them."""
ISO = "iso"
MAPPINGS = Path(__file__).parent / "mappings"

CodeKind = TypeVar("CodeKind", bound=StrEnum)


class Kind(StrEnum):
    CASES = "cases"
    EVENTS = "events"
    XES = "xes"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class LogFile(Strict):
    """How the file is written."""

    encoding: str = "utf-8"
    delimiter: str = Field(",", min_length=1, max_length=1)
    quote: str = Field('"', min_length=1, max_length=1)
    sheet: str | None = None
    header_row: int = Field(1, ge=1)
    missing: tuple[str, ...] = ("",)

    @field_validator("encoding")
    @classmethod
    def known(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except LookupError:
            raise ValueError("this encoding is not known") from None
        return encoding


class Times(Strict):
    """How times are written, and what their wall clock means."""

    formats: tuple[str, ...] = Field((ISO,), min_length=1)
    zone: str = AS_WRITTEN

    @field_validator("zone")
    @classmethod
    def is_there(cls, zone: str) -> str:
        if zone != AS_WRITTEN:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError):
                raise ValueError("this time zone is not known") from None
        return zone


def _value_table(given: Any) -> Any:
    if isinstance(given, str):
        return {"columns": [given]}
    if isinstance(given, list):
        return {"columns": given}
    if isinstance(given, dict) and "column" in given:
        rest = {key: value for key, value in given.items() if key != "column"}
        return rest | {"columns": [given["column"]]}
    return given


class Value(Strict):
    """A column, a join of columns (missing ones left out), or a constant."""

    columns: tuple[str, ...] = ()
    joined_by: str = " "
    constant: str | None = None

    @model_validator(mode="after")
    def one_source(self) -> Self:
        if bool(self.columns) == (self.constant is not None):
            raise ValueError("name a column, several columns, or a constant")
        return self


class Coded(Value, Generic[CodeKind]):
    """A value turned into a code of this desk: globs in the order written, then `otherwise`."""

    map: dict[str, CodeKind] = Field(default_factory=dict)
    otherwise: CodeKind | None = None


Text = Annotated[Value, BeforeValidator(_value_table)]
FaultValue = Annotated[Coded[FaultCode], BeforeValidator(_value_table)]
PriorityValue = Annotated[Coded[Priority], BeforeValidator(_value_table)]
ChannelValue = Annotated[Coded[Channel], BeforeValidator(_value_table)]
Globs = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda given: [given] if isinstance(given, str) else given),
    Field(min_length=1),
]


class Order(Strict):
    """By what events are put in order; ties, and `file`, keep the order of the file."""

    ordered_by: str | None = None
    ordered_as: Literal["time", "number", "text", "file"] = "time"

    @model_validator(mode="after")
    def consistent(self) -> Self:
        if self.ordered_as == "file" and self.ordered_by is not None:
            raise ValueError("the order of the file needs no column")
        if self.ordered_as in ("number", "text") and self.ordered_by is None:
            raise ValueError("ordered_by is missing")
        return self


class Case(Strict):
    """Which columns name a case."""

    id: Text


class Events(Order):
    """Which columns make an event, and in which order the events of a case stand."""

    activity: Text
    time: str
    words: Text | None = None
    case_values: Literal["first", "last"] = "first"


class Moment(Order):
    """When something happened: a column of the row with the case's values, or a rule over activities."""

    column: str | None = None
    activities: Globs | None = None
    pick: Literal["first", "last", "first_of_final_run"] = "first"
    time: str | None = None
    words: Text | None = None

    @model_validator(mode="after")
    def one_rule(self) -> Self:
        if (self.column is None) == (self.activities is None):
            raise ValueError("name either a column or activities")
        return self


class Moments(Strict):
    arrival: Moment | None = None
    first_response: Moment | None = None
    resolved: Moment | None = None
    closed: Moment | None = None


class Waiting(Strict):
    """Activities that begin a waiting state; it lasts until the next event of the case."""

    activities: Globs
    waiting_for: WaitingFor = Field(WaitingFor.CUSTOMER, alias="for")


class TicketFields(Strict):
    title: Text | None = None
    text: Text | None = None
    company: Text | None = None
    contact: Text | None = None
    category: FaultValue = Coded[FaultCode](constant="", otherwise=FaultCode.OTHER)
    priority: PriorityValue = Coded[Priority](constant="", otherwise=Priority.P3)
    channel: ChannelValue = Coded[Channel](constant="", otherwise=Channel.OTHER)
    target: str | None = None

    @model_validator(mode="after")
    def contact_of_a_company(self) -> Self:
        if self.contact is not None and self.company is None:
            raise ValueError("a contact needs a company; a constant will do")
        return self


XES_CASE = {"id": "case:concept:name"}
XES_EVENTS = {"activity": "concept:name", "time": "time:timestamp"}


class Mapping(Strict):
    """One mapping file."""

    name: str = Field(min_length=1, max_length=60)
    kind: Kind
    file: LogFile = LogFile()
    times: Times = Times()
    case: Case
    events: Events | None = None
    ticket: TicketFields = TicketFields()
    moments: Moments = Moments()
    waiting: tuple[Waiting, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def standard_names(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("kind") == Kind.XES:
            events = given.get("events", {})
            if isinstance(events, dict):
                events = XES_EVENTS | events
            return {"case": XES_CASE} | given | {"events": events}
        return given

    @model_validator(mode="after")
    def whole(self) -> Self:
        moments = self.moments
        named = [moments.arrival, moments.first_response, moments.resolved, moments.closed]
        if self.kind is Kind.CASES:
            if self.events is not None or self.waiting:
                raise ValueError("a log of cases has no [events] and no [[waiting]]")
            if any(moment is not None and moment.activities for moment in named):
                raise ValueError("a log of cases has no activities; name columns")
            if moments.arrival is None:
                raise ValueError("moments.arrival is missing")
        elif self.events is None:
            raise ValueError("[events] is missing")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column the mapping reads, each once."""
        values = [self.case.id, self.ticket.title, self.ticket.text, self.ticket.company]
        values += [self.ticket.contact, self.ticket.category, self.ticket.priority]
        values += [self.ticket.channel]
        single = [self.ticket.target]
        if self.events is not None:
            values += [self.events.activity, self.events.words]
            single += [self.events.time, self.events.ordered_by]
        moments = self.moments
        for moment in (moments.arrival, moments.first_response, moments.resolved, moments.closed):
            if moment is not None:
                values.append(moment.words)
                single += [moment.column, moment.time, moment.ordered_by]
        names = [name for value in values if value is not None for name in value.columns]
        return tuple(dict.fromkeys(names + [name for name in single if name is not None]))


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file, or the one of that name that comes with the product.

    Refuses `mapping_missing`, and `mapping_wrong` with place and reason.
    """
    if not path.exists() and path.parent == Path() and not path.suffix:
        path = MAPPINGS / f"{path.name}.toml"
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refusal("mapping_missing", name=path.name) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal("mapping_wrong", place=path.name, reason=str(error)) from None
    try:
        return Mapping.model_validate({"name": path.stem} | given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or path.name
        reason = first["msg"].removeprefix("Value error, ")
        raise Refusal("mapping_wrong", place=place, reason=reason) from None
