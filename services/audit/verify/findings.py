"""What a verification ends with: the first break, or everything that was proven."""

from dataclasses import dataclass, field
from typing import Any


class Broken(Exception):
    """The log does not hold. `seq` is the first entry that shows it; `code` is stable."""

    def __init__(self, code: str, message: str, seq: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.seq = seq

    def document(self) -> dict[str, Any]:
        return {"code": self.code, "seq": self.seq, "message": self.message}


@dataclass(slots=True)
class Findings:
    """Counts of what was checked, up to the break if there is one. `warnings` say what nobody could check."""

    tenant: str = ""
    origin: str = ""
    entries: int = 0
    checkpoint_size: int = 0
    checkpoint_root: str = ""
    checkpoints: int = 0
    cosignatures: int = 0
    outside_checkpoints: int = 0
    payloads: int = 0
    payloads_erased: int = 0
    batched_records: int = 0
    decisions: int = 0
    orders: int = 0
    unresolved: int = 0
    seconds: float = 0.0
    problem: Broken | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.problem is None

    def document(self) -> dict[str, Any]:
        """As JSON: the names are stable, fields may be added."""
        per_second = round(self.entries / self.seconds) if self.seconds > 0 else 0
        return {
            "ok": self.ok,
            "tenant": self.tenant,
            "origin": self.origin,
            "entries_verified": self.entries,
            "checkpoint_size": self.checkpoint_size,
            "checkpoint_root": self.checkpoint_root,
            "checkpoints_verified": self.checkpoints,
            "cosignatures_verified": self.cosignatures,
            "outside_checkpoints_verified": self.outside_checkpoints,
            "entries_not_signed_yet": self.entries - self.checkpoint_size if self.ok else None,
            "payloads_verified": self.payloads,
            "payloads_erased": self.payloads_erased,
            "batched_records": self.batched_records,
            "decisions": self.decisions,
            "orders": self.orders,
            "references_open": self.unresolved,
            "seconds": round(self.seconds, 3),
            "entries_per_second": per_second,
            "problem": self.problem.document() if self.problem else None,
            "warnings": self.warnings,
        }
