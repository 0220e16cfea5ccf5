"""Who has to say yes to what: the approval matrix, a versioned configuration that two people put in force."""

from datetime import date
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Code, Message, Money, Part, Reason, Text

Signatures = Literal["one", "approver", "two"]
Names = Annotated[tuple[Code, ...], Field(max_length=500)]
SlaHours = Annotated[int, Field(ge=1, le=24 * 60)]


class Scope(Part):
    """Which lines are meant: every part that is named has to fit, and a part that names nothing fits all."""

    suppliers: Names = ()
    categories: Annotated[tuple[Text, ...], Field(max_length=500)] = ()
    locations: Names = ()


class ApprovalRule(Part):
    """One row of the matrix. It applies to a line that fits its scope and every condition it names: any of `reasons`
    (why policy asks a person), any of `actions`, a value above `value_above`. It then asks for `signatures`: `one` of
    anybody who may decide, an `approver`, or `two` different persons with an approver as the last. Of several rules
    that apply the strictest holds, and the shortest `sla_hours`; when that is over, `escalate_to` owns the line.
    """

    code: Reason
    says: Text
    reasons: Annotated[tuple[Reason, ...], Field(max_length=50)] = ()
    actions: Annotated[tuple[Reason, ...], Field(max_length=20)] = ()
    scope: Scope = Scope()
    value_above: Money | None = None
    signatures: Signatures = "one"
    sla_hours: SlaHours | None = None
    escalate_to: Code | None = None


class Coverage(Part):
    """What one person may decide about. A person without an entry may decide nothing once anybody has one."""

    subject: Code
    scope: Scope = Scope()


class Delegation(Part):
    """`delegate` decides in the place of `delegator` from `starts` to `ends`, both days included (UTC)."""

    delegator: Code
    delegate: Code
    starts: date
    ends: date
    reason: Text

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.ends < self.starts:
            raise ValueError("ends lies before starts")
        if self.delegator == self.delegate:
            raise ValueError("nobody delegates to themselves")
        return self


class ApprovalMatrixPublished(Message):
    """A version of the matrix, in force from its publication. `rolling_value_above`: when one-signature approvals for one
    supplier and order day together come above this, the next line takes two signatures (an order split in small lines).
    `limits_reading`: coverage limits what is read, too, for all but auditors and administrators."""

    TYPE: ClassVar[str] = "approval-matrix.published.v1"
    version: Annotated[int, Field(ge=1)]
    rules: Annotated[tuple[ApprovalRule, ...], Field(max_length=200)] = ()
    coverage: Annotated[tuple[Coverage, ...], Field(max_length=1000)] = ()
    delegations: Annotated[tuple[Delegation, ...], Field(max_length=1000)] = ()
    rolling_value_above: Money | None = None
    limits_reading: bool = False
    proposed_by: Code
    approved_by: Code
    reason: Text

    def record_key(self) -> str:
        return f"{self.tenant}/approval-matrix"
