"""What a witness accepts (C2SP tlog-witness): a request and what it saw last in, a verdict out."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.domain.checkpoints import Checkpoint, parse_checkpoint, parse_hash, parse_size
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.notes import Verifier, open_note, parse_note
from services.audit.domain.proofs import consistency_holds

PROOF_LINES_MAX = 63


@dataclass(frozen=True, slots=True)
class Submission:
    """A head a log wants cosigned, and the proof that it extends the one of `old` entries."""

    old: int
    proof: tuple[bytes, ...]
    note: str
    text: str
    checkpoint: Checkpoint


def parse_submission(body: str) -> Submission:
    """Raises AuditRefusal for everything that is not `old <size>`, proof lines, an empty line and a signed checkpoint."""
    head, blank, note = body.partition("\n\n")
    first, *lines = head.split("\n")
    if not blank or not first.startswith("old ") or len(lines) > PROOF_LINES_MAX:
        raise AuditRefusal(
            "submission_malformed", "needs an old size line, at most 63 proof lines, an empty line, a checkpoint"
        )
    text, _ = parse_note(note)
    return Submission(
        parse_size(first[4:]), tuple(parse_hash(line) for line in lines), note, text, parse_checkpoint(text)
    )


def verifiers_of(origin: str, trusted: Sequence[Verifier]) -> list[Verifier]:
    """Keys that may sign for `origin`: its own, or its deployment's (`<deployment>/audit` stands for all its logs)."""
    own = [one for one in trusted if one.name == origin]
    return own + [Verifier(origin, one.algorithm, one.public) for one in trusted if origin.startswith(f"{one.name}/")]


@dataclass(frozen=True, slots=True)
class Verdict:
    """An HTTP status and, for 409, the size the witness saw last."""

    status: int
    reason: str = ""
    seen_size: int | None = None


ACCEPTED = Verdict(200)


def judge_signature(submission: Submission, trusted: Sequence[Verifier]) -> Verdict:
    """404 for a log nobody told us of, 403 without a good signature of it."""
    verifiers = verifiers_of(submission.checkpoint.origin, trusted)
    if not verifiers:
        return Verdict(404, f"unknown log {submission.checkpoint.origin}")
    try:
        open_note(submission.note, verifiers)
    except AuditRefusal as refusal:
        return Verdict(403, str(refusal))
    return ACCEPTED


def judge_extension(submission: Submission, seen: Checkpoint | None) -> Verdict:
    """400 old above new, 409 not what we saw last (or another root of the same size), 422 the proof does not hold."""
    new, seen_size = submission.checkpoint, seen.size if seen else 0
    if submission.old > new.size:
        return Verdict(400, f"old size {submission.old} is above the checkpoint's {new.size}")
    if submission.old != seen_size:
        return Verdict(409, "old size is not what this witness saw last", seen_size)
    if seen is not None and seen.size == new.size:
        if seen.root != new.root:
            return Verdict(409, "another root of the same size", seen_size)
        return ACCEPTED if not submission.proof else Verdict(422, "the proof between equal sizes is empty")
    if seen_size == 0:
        return ACCEPTED if not submission.proof else Verdict(422, "the proof from size 0 is empty")
    assert seen is not None
    if not consistency_holds(seen.size, new.size, submission.proof, seen.root, new.root):
        return Verdict(422, "the consistency proof does not hold")
    return ACCEPTED
