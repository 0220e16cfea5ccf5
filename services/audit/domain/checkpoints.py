"""C2SP tlog-checkpoints (origin, size, root, signatures) and tlog-proofs (an entry's receipt, checkable offline)."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import EMPTY_ROOT, HASH_BYTES
from services.audit.domain.notes import Verifier, open_note
from services.audit.domain.proofs import inclusion_holds

SIZE_MAX = 2**63  # exclusive
PROOF_HEADER = "c2sp.org/tlog-proof@v1"
PROOF_HASHES_MAX = 63
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


# The platform's own log, of the tenants' checkpoints. No tenant can have this name: writers refuse it.
PLATFORM = "~platform"


def origin_of(deployment: str, tenant: str) -> str:
    """Name of a tenant's log for the world. Tenant codes may hold blanks and '+', which names of keys may not."""
    return f"{deployment}/audit/{quote(tenant, safe='~')}"


def hash_text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def parse_hash(text: str) -> bytes:
    """32 bytes from canonical base64. Raises AuditRefusal("hash_malformed")."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise AuditRefusal("hash_malformed", f"{text!r} is not base64") from error
    if len(raw) != HASH_BYTES or hash_text(raw) != text:
        raise AuditRefusal("hash_malformed", f"{text!r} is not the base64 of {HASH_BYTES} bytes")
    return raw


def parse_size(text: str) -> int:
    """A count without sign or leading zero, below 2**63. Raises AuditRefusal("size_malformed")."""
    if not _SIZE.fullmatch(text) or int(text) >= SIZE_MAX:
        raise AuditRefusal("size_malformed", f"{text!r} is not a size")
    return int(text)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log commits to: under this name, this many entries, with this root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{hash_text(self.root)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Strictly `origin, size, root`, one line each and nothing more.

    Raises AuditRefusal: checkpoint_malformed, size_malformed, hash_malformed, root_of_empty.
    """
    if not text.endswith("\n") or any(character < " " and character != "\n" for character in text):
        raise AuditRefusal("checkpoint_malformed", "needs lines that end in a newline, without control characters")
    lines = text[:-1].split("\n")
    if len(lines) != 3 or not all(lines):
        raise AuditRefusal("checkpoint_malformed", f"needs origin, size and root, found {len(lines)} lines")
    checkpoint = Checkpoint(lines[0], parse_size(lines[1]), parse_hash(lines[2]))
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise AuditRefusal("root_of_empty", "size 0 with a root that is not that of the empty tree")
    return checkpoint


def open_checkpoint(note: str, origin: str, verifiers: Sequence[Verifier]) -> Checkpoint:
    """The checkpoint in a signed note of the log `origin`. Raises AuditRefusal of `open_note` and `parse_checkpoint`,
    and checkpoint_of_other_log."""
    checkpoint = parse_checkpoint(open_note(note, verifiers).text)
    if checkpoint.origin != origin:
        raise AuditRefusal("checkpoint_of_other_log", f"speaks of {checkpoint.origin}, not of {origin}")
    return checkpoint


@dataclass(frozen=True, slots=True)
class Receipt:
    """A tlog-proof: entry `index` is in the log whose signed checkpoint is `note`."""

    index: int
    proof: tuple[bytes, ...]
    note: str

    def text(self) -> str:
        hashes = "".join(hash_text(value) + "\n" for value in self.proof)
        return f"{PROOF_HEADER}\nindex {self.index}\n{hashes}\n{self.note}"


def parse_receipt(text: str) -> Receipt:
    """Raises AuditRefusal: receipt_malformed, size_malformed, hash_malformed."""
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or len(lines) < 2 or lines[0] != PROOF_HEADER:
        raise AuditRefusal("receipt_malformed", f"does not begin with {PROOF_HEADER}, an index and a blank line")
    lines = [line for line in lines[1:] if not line.startswith("extra ")]
    if not lines or not lines[0].startswith("index ") or len(lines) - 1 > PROOF_HASHES_MAX:
        raise AuditRefusal("receipt_malformed", "needs one index line and at most 63 hashes")
    return Receipt(parse_size(lines[0][6:]), tuple(parse_hash(line) for line in lines[1:]), note)


def check_receipt(text: str, leaf: bytes, origin: str, verifiers: Sequence[Verifier]) -> Checkpoint:
    """The verified checkpoint that holds the entry with this leaf hash. Raises AuditRefusal, also proof_does_not_hold."""
    receipt = parse_receipt(text)
    checkpoint = open_checkpoint(receipt.note, origin, verifiers)
    if not inclusion_holds(leaf, receipt.index, checkpoint.size, receipt.proof, checkpoint.root):
        raise AuditRefusal("proof_does_not_hold", f"entry {receipt.index} is not in the log at size {checkpoint.size}")
    return checkpoint
