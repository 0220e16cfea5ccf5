"""The matrix that holds until a tenant publishes its own: who buys something else than planned asks an approver, what a
customer was promised is decided the same morning, and nothing lies longer than a day without somebody above hearing of it."""

from datetime import timedelta

from services.approvals.domain.matrix import Matrix, Rule, Signatures

DEFAULT = Matrix(
    rules=(
        Rule(
            "substitution",
            "Another item than the one that is needed: an approver agrees.",
            actions=frozenset({"substitute"}),
            signatures=Signatures.APPROVER,
        ),
        Rule(
            "substitution_proposed",
            "Another item than the one that is needed: an approver agrees.",
            reasons=frozenset({"substitution"}),
            signatures=Signatures.APPROVER,
        ),
        Rule(
            "policy_exception",
            "Outside what the policy allows: an approver agrees.",
            reasons=frozenset({"policy_exception"}),
            signatures=Signatures.APPROVER,
        ),
        Rule(
            "customer_commitment",
            "A customer was promised the goods: decided within four hours.",
            reasons=frozenset({"customer_commitment_at_risk"}),
            sla=timedelta(hours=4),
            escalate_to="approver",
        ),
        Rule("ordinary", "Decided within a day.", sla=timedelta(hours=24), escalate_to="approver"),
    )
)
