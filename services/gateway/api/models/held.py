"""Events that are held up, as a person reads them."""

from typing import Literal

from pydantic import ConfigDict

from services.gateway.api.models.base import View

Holder = Literal["policy", "forecaster", "approvals"]


class DeadLetterView(View):
    """What a service could not handle: where it lies, why, and its bytes and headers as they came."""

    service: Holder
    letter_id: str
    seq: int
    state: Literal["waiting", "replayed", "dropped"]
    code: str
    detail: str
    field: str | None
    attempts: int
    topic: str
    partition: int
    offset: int
    record_key: str
    event_id: str | None
    source: str | None
    type: str | None
    time: str | None
    died_at: str
    settled_by: str | None
    settled_reason: str | None
    settled_at: str | None
    headers: dict[str, str]
    body: str


class LetterOutcome(View):
    """What became of one letter: died_again says the new reason; unknown: there is none by this id."""

    service: Holder
    letter_id: str
    outcome: Literal["replayed", "died_again", "settled_before", "dropped", "unknown"]
    code: str | None = None
    detail: str | None = None


class CorrectionView(View):
    """The corrected event is durable under this id, and the letters of the one it stands for are settled."""

    event_id: str
    settled: list[LetterOutcome]


class ParkedEventView(View):
    """An event that waits until somebody says what its codes mean, or behind such an event of its key."""

    # An owner service may tell more than is shown here.
    model_config = ConfigDict(extra="ignore")
    record_key: str
    event_hash: str
    event_id: str
    source: str
    type: str
    time: str
    topic: str
    partition: int
    offset: int
    reason: str
    parked_at: str
    body: str


class ParkedKeyView(ParkedEventView):
    """A key with its first waiting event, and how many wait."""

    waiting: int


class ReleaseView(View):
    """How many events of the key each service has handled now, and how many still wait."""

    record_key: str
    handled: dict[str, int]
    waiting: dict[str, int]


class DroppedView(View):
    """How many events each service took out for good."""

    record_key: str
    dropped: dict[str, int]


class FactView(View):
    """Something somebody once said about a code."""

    model_config = ConfigDict(extra="ignore")
    code: str
    scheme: str
    supplier: str | None
    target: str
    active: bool
    valid_from: str | None
    defined_at: str


class MeaningView(View):
    """What a code means for a day; several candidates and no target: it is ambiguous. `alike`: of customer commitments, the
    known ones that begin with this code, at most eight."""

    model_config = ConfigDict(extra="ignore")
    code: str
    target: str | None
    candidates: list[str]
    facts: list[FactView]
    alike: list[str] = []


class ClosingView(View):
    """A told closing: durable, and in the forecasts of that location within moments."""

    signal_id: str
    location: str
    first_on: str
    last_on: str
    active: bool


class AliasView(View):
    """The alias is durable under this event id; what waited for it flows within moments."""

    event_id: str
    code: str
    target: str
