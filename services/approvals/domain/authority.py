"""Who may do what. Roles come from the sign-in; limits are money values from the published policy."""

from dataclasses import dataclass
from decimal import Decimal

from services.approvals.domain.line import Line
from services.approvals.domain.refusals import Refusal

DECIDES = frozenset({"planner", "approver"})
# Separation of duties: whoever can change accounts or checks the books does not also sign, whatever other roles they hold.
NEVER_DECIDES = frozenset({"admin", "auditor"})


@dataclass(frozen=True, slots=True)
class Limits:
    """Money limits, in the tenant's currency. Both are inclusive: a line of exactly the limit is within it.

    rule_value_limit: up to here a line without a reason to ask may be approved by rule.
    second_signature_above: above this a second, different person with the role approver must sign.
    """

    rule_value_limit: Decimal
    second_signature_above: Decimal
    policy_version: int = 0

    def needs_second(self, value: Decimal) -> bool:
        """Whether an order line of this value takes two persons."""
        return value > self.second_signature_above

    def as_text(self) -> dict[str, str]:
        """The limits that applied, as the decision's log keeps them."""
        return {
            "rule_value_limit": format(self.rule_value_limit, "f"),
            "second_signature_above": format(self.second_signature_above, "f"),
            "policy_version": str(self.policy_version),
        }


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person or machine, as the identity layer vouches for it."""

    subject: str
    roles: frozenset[str]

    @property
    def deciding_role(self) -> str:
        """The role in which this actor signs: the higher one held."""
        return "approver" if "approver" in self.roles else "planner"


def may_decide(actor: Actor) -> None:
    """Refuse actors who may not decide about lines at all. Raises Refusal: role_excluded, role_missing."""
    excluded = sorted(actor.roles & NEVER_DECIDES)
    if excluded:
        raise Refusal(
            "role_excluded", f"Who is {excluded[0]} does not decide about orders; ask a planner or an approver."
        )
    if not actor.roles & DECIDES:
        raise Refusal("role_missing", "Deciding needs the role planner or approver; ask an administrator for it.")


def may_give_second_signature(actor: Actor, line: Line) -> None:
    """Refuse a second signature that is not a second person's. Raises Refusal: own_amendment, same_signer, approver_needed."""
    if actor.subject == line.amended_by:
        raise Refusal(
            "own_amendment",
            "You amended this line above the limit, so another person with the role approver has to sign it.",
        )
    if actor.subject == line.first_signer:
        raise Refusal(
            "same_signer",
            "You have signed this line already; above the limit another person with the role approver has to sign too.",
        )
    if "approver" not in actor.roles:
        raise Refusal(
            "approver_needed", "The second signature above the limit needs the role approver; ask an approver to sign."
        )
