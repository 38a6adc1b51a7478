"""Every code that is stored in a column. Values never change once stored; words live in the catalogues."""

from enum import StrEnum


class Role(StrEnum):
    HOTLINE = "hotline"
    DISPATCHER = "dispatcher"
    TECHNICIAN = "technician"
    STOREKEEPER = "storekeeper"
    SALES = "sales"
    QUALITY = "quality"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Language(StrEnum):
    ZH_CN = "zh_CN"
    EN = "en"


class ActorKind(StrEnum):
    PERSON = "person"
    SYSTEM = "system"
    GUEST = "guest"


class SignInOutcome(StrEnum):
    OK = "ok"
    WRONG = "wrong"
    DELAYED = "delayed"


class Channel(StrEnum):
    PHONE = "phone"
    EMAIL = "email"
    FAX = "fax"
    WEB = "web"
    VISIT = "visit"
    OTHER = "other"


class Priority(StrEnum):
    """P1 urgent to P4 low."""

    P1 = "p1"
    P2 = "p2"
    P3 = "p3"
    P4 = "p4"


class FaultCode(StrEnum):
    MOTOR_DEAD = "motor_dead"
    REMOTE_DEAD = "remote_dead"
    TRACK_DEFORMED = "track_deformed"
    RUNNER_OFF = "runner_off"
    CORD_BROKEN = "cord_broken"
    FABRIC_TORN = "fabric_torn"
    FABRIC_FADED = "fabric_faded"
    BLIND_UNEVEN = "blind_uneven"
    NOISE = "noise"
    SIZE_WRONG = "size_wrong"
    BRACKET_LOOSE = "bracket_loose"
    OTHER = "other"


class TicketStatus(StrEnum):
    NEW = "new"
    ASSIGNED = "assigned"
    CONTACTED = "contacted"
    SCHEDULED = "scheduled"
    ON_SITE = "on_site"
    WAITING = "waiting"
    COMPLETED = "completed"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    MERGED = "merged"


class WaitingFor(StrEnum):
    CUSTOMER = "customer"
    PARTS = "parts"
    MAKER = "maker"
    APPRAISAL = "appraisal"


class EventKind(StrEnum):
    """A fact on a ticket's timeline; timers are derived from these alone."""

    RECEIVED = "received"
    ASSIGNED = "assigned"
    CONTACTED = "contacted"
    SCHEDULED = "scheduled"
    ON_THE_WAY = "on_the_way"
    ARRIVED = "arrived"
    WAITING_STARTED = "waiting_started"
    WAITING_ENDED = "waiting_ended"
    COMPLETED = "completed"
    RETURN_CALL = "return_call"
    REOPENED = "reopened"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    NOTE = "note"
    CHANGED = "changed"
    VISIT_CANCELLED = "visit_cancelled"
    SURVEY_ANSWERED = "survey_answered"
    IMPORTED = "imported"
    ATTEMPTED = "attempted"
    INBOUND = "inbound"
    DIAGNOSED = "diagnosed"
    RESTORED = "restored"
    TARGETS_APPLIED = "targets_applied"
    PROMISED = "promised"
    PROMISE_KEPT = "promise_kept"
    PROMISE_CHANGED = "promise_changed"
    PROMISE_ENDED = "promise_ended"
    MERGED = "merged"
    ABSORBED = "absorbed"
    MERGE_UNDONE = "merge_undone"
    SPLIT_OFF = "split_off"
    LINKED = "linked"
    CALLED_IN = "called_in"
    REPLIED = "replied"
    FILE_ADDED = "file_added"
    FILE_REMOVED = "file_removed"
    WITHDRAWN = "withdrawn"


class TimerKind(StrEnum):
    ANSWER = "answer"
    FIRST_RESPONSE = "first_response"
    NEXT_REPLY = "next_reply"
    PROMISE = "promise"
    DIAGNOSIS = "diagnosis"
    RESTORATION = "restoration"
    RESOLUTION = "resolution"
    RETURN_CALL = "return_call"
    STEP = "step"
    HOP = "hop"


class TargetUnit(StrEnum):
    """What a target is counted in; a working day is neither 8 hours nor 24 (rule 8)."""

    CLOCK_SECONDS = "clock_seconds"
    CALENDAR_MINUTES = "calendar_minutes"
    WORKING_MINUTES = "working_minutes"
    WORKING_DAYS = "working_days"


class CommitmentKind(StrEnum):
    """What was promised to a customer."""

    CALL_BACK = "call_back"
    VISIT = "visit"
    PARTS = "parts"
    REPLY = "reply"
    OTHER = "other"


class CommitmentState(StrEnum):
    """As stored; broken is found on reading: still open after its due, or kept after it."""

    OPEN = "open"
    KEPT = "kept"
    CHANGED = "changed"
    ENDED = "ended"


class LinkKind(StrEnum):
    """How the case that links came out of, or belongs to, the other."""

    RELATED = "related"
    RECURRENCE = "recurrence"
    SPLIT = "split"
    DUPLICATE = "duplicate"


class CancelReason(StrEnum):
    """A duplicate and spam leave the rate, a miss of any other stays a miss (rule 18)."""

    NOT_NEEDED = "not_needed"
    DUPLICATE = "duplicate"
    SPAM = "spam"
    OTHER = "other"


class CallStep(StrEnum):
    """The eight steps of the hotline (S-18 to S-25)."""

    COMPANY = "company"
    RECORD = "record"
    CONTACT = "contact"
    FAULT = "fault"
    PROMISE = "promise"
    SAVE = "save"
    FOLLOW = "follow"
    RETURN_CALL = "return_call"


class NoticeKind(StrEnum):
    """Why somebody is told something."""

    WARNING = "warning"
    OVERDUE = "overdue"
    ESCALATION = "escalation"
    REMINDER = "reminder"
    PROMISE_DUE = "promise_due"
    SALES_NOTICE = "sales_notice"
    NOBODY_FREE = "nobody_free"
    CALLBACK_DUE = "callback_due"
    NOBODY_THERE = "nobody_there"
    NO_DATA = "no_data"


class CustomerLevel(StrEnum):
    STANDARD = "standard"
    IMPORTANT = "important"
    KEY = "key"


class TimerPhase(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    CANCELLED = "cancelled"


class MissedCause(StrEnum):
    TIME = "time"
    CHANGE = "change"
    MERGE = "merge"


class Verdict(StrEnum):
    """Derived on reading, never stored."""

    MET = "met"
    MISSED = "missed"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"


class DayKind(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    OTHER_HOURS = "other_hours"


class DaySource(StrEnum):
    OFFICIAL = "official"
    HAND = "hand"


class CoverageState(StrEnum):
    """Warranty state of an item on a day (W-01)."""

    IN_WARRANTY = "in_warranty"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class ItemKind(StrEnum):
    CURTAIN = "curtain"
    BLACKOUT = "blackout"
    SHEER = "sheer"
    ROMAN_BLIND = "roman_blind"
    ROLLER_BLIND = "roller_blind"
    MOTOR_TRACK = "motor_track"
    REMOTE = "remote"
    OTHER = "other"


class VisitStatus(StrEnum):
    PLANNED = "planned"
    ON_THE_WAY = "on_the_way"
    ARRIVED = "arrived"
    DONE = "done"
    CANCELLED = "cancelled"


class VisitOutcome(StrEnum):
    FIXED = "fixed"
    WAITING_PARTS = "waiting_parts"
    WAITING_CUSTOMER = "waiting_customer"
    WAITING_MAKER = "waiting_maker"


class VisitFileKind(StrEnum):
    PHOTO = "photo"
    SIGNATURE = "signature"


class MovementKind(StrEnum):
    RECEIVE = "receive"
    ISSUE = "issue"
    RETURN = "return"
    ADJUST = "adjust"


class ReturnCallState(StrEnum):
    OPEN = "open"
    DONE = "done"
    DECLINED = "declined"
    UNREACHED = "unreached"


class ReturnCallResult(StrEnum):
    """What one try brought (S-25)."""

    FIXED = "fixed"
    NOT_FIXED = "not_fixed"
    DECLINED = "declined"
    NO_ANSWER = "no_answer"
