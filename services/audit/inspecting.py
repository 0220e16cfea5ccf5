"""An export before anything of it is restored: every line read, everything verified, what an import must know taken down.

It holds the verifier's own index (ids, decisions, orders) and one line at a time, never the export.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from services.audit.domain.batches import BATCH_TYPE
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.evidence import identity_of
from services.audit.domain.notes import COSIGNATURE, Verifier, open_note, parse_note
from services.audit.erasing import ERASED_TYPE
from services.audit.verify.findings import Findings
from services.audit.verify.verification import Trust, Verification

# A payload has at most 1 MiB, which base64 makes 1.4 MB of; what is longer is no line of an export.
LINE_BYTES_MAX = 4 * 1024 * 1024
TAKE_ANOTHER = (
    "take another copy of the export, or export the log again; `./run verify FILE` reads this one without importing it"
)


class ImportRefused(AuditRefusal):
    """Nothing was written; args are (code, what and why, what to do next)."""

    @property
    def way_out(self) -> str:
        """What to do next."""
        return str(self.args[2])


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a verified export holds. Entries [0, size) are restored; `left_out` more are under no signed head.

    `erasures`: when the payload of a commitment was erased, as the log itself says. `reached`: last offset that stands in a
    batch, by topic and partition. `sha256` is that of the bytes which were verified: what is restored must be the same.
    """

    tenant: str
    origin: str
    size: int
    left_out: int
    sha256: str
    erasures: dict[str, datetime]
    reached: dict[tuple[str, int], int]
    findings: Findings


@dataclass(slots=True)
class _Seen:
    """Facts the verifier has no use for."""

    erasures: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    reached: dict[tuple[str, int], int] = field(default_factory=dict)


def lines_of(path: Path, digest: "hashlib._Hash") -> Iterator[bytes]:
    """The lines of an export without their newlines; every byte goes into `digest`. Raises ImportRefused."""
    try:
        with path.open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX):
                digest.update(line)
                if not line.endswith(b"\n"):
                    what = (
                        f"a line is longer than {LINE_BYTES_MAX} bytes"
                        if len(line) == LINE_BYTES_MAX
                        else "the last line is cut off"
                    )
                    raise ImportRefused("export_malformed", what, TAKE_ANOTHER)
                yield line[:-1]
    except OSError as error:
        raise ImportRefused("export_unreadable", f"{path}: {error}", "name an export this user can read") from error


def inspect(
    path: Path,
    *,
    origin: str,
    tenant: str,
    keys: tuple[Verifier, ...],
    witnesses: tuple[Verifier, ...],
    signed_only: bool = False,
) -> Inspected:
    """Verify the export as a stranger would, with our own keys, and hold it against what an import needs beyond that.

    Raises ImportRefused: every code of the verifier, and other_tenant, other_deployment, cosigner_unknown, not_importable,
    export_damaged, entries_not_signed, erasure_not_signed.
    """
    told, last_line = hashlib.sha256(), b""
    digest, verification, seen = hashlib.sha256(), Verification(Trust(keys=keys)), _Seen()
    for line in lines_of(path, digest):
        verification.feed(line)
        _stop_where_broken(verification.findings)
        # From here on the line is what the verifier says it must be; blank ones say nothing and would not come out again.
        if not line.strip():
            raise ImportRefused("export_malformed", "a line is empty", TAKE_ANOTHER)
        record = orjson.loads(line)
        if record["record"] == "log":
            _demand_ours(record, origin, tenant)
        elif record["record"] == "entry":
            _take_entry(seen, record)
        elif record["record"] == "checkpoint":
            _demand_restorable(record, witnesses)
        elif record["record"] == "end":
            last_line = line
            continue
        told.update(line + b"\n")
    findings = verification.finish()
    _stop_where_broken(findings)
    _demand_whole(last_line, findings.entries, told.hexdigest())
    size = findings.checkpoint_size if signed_only else findings.entries
    _demand_signed(findings, seen, size)
    erasures = {of: at for of, (seq, at) in seen.erasures.items() if seq < size}
    left_out = findings.entries - size
    return Inspected(tenant, origin, size, left_out, digest.hexdigest(), erasures, seen.reached, findings)


def _stop_where_broken(findings: Findings) -> None:
    if findings.problem is not None:
        where = "" if findings.problem.seq is None else f"at entry {findings.problem.seq}: "
        raise ImportRefused(
            findings.problem.code, f"the export does not hold; {where}{findings.problem.message}", TAKE_ANOTHER
        )


def _demand_ours(header: dict[str, Any], origin: str, tenant: str) -> None:
    if header["tenant"] != tenant:
        raise ImportRefused(
            "other_tenant",
            f"the export is the log of tenant {header['tenant']!r}, not of {tenant!r}",
            f"give the export of {tenant!r}, or `--tenant {header['tenant']}` if that is the log you mean",
        )
    if header["origin"] != origin:
        raise ImportRefused(
            "other_deployment",
            f"the log was signed as {header['origin']}, this installation signs as {origin}",
            "set COUNTERSIGN_DEPLOYMENT to the name the log was made under; a log cannot change its name",
        )


def _take_entry(seen: _Seen, record: dict[str, Any]) -> None:
    entry = orjson.loads(record["entry"])
    if entry["type"] == ERASED_TYPE:
        seen.erasures[str(entry["erased_sha256"])] = entry["seq"], datetime.fromisoformat(entry["occurred_at"])
    elif entry["type"] == BATCH_TYPE:
        seen.reached[str(entry["topic"]), int(entry["partition"])] = int(entry["last_offset"])
    try:
        if identity_of(entry) is None:
            UUID(record["event_hash"])
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise ImportRefused(
            "not_importable",
            f"entry {entry['seq']} does not say which event it stands for: its id was too long to stand in it whole",
            "export the log again: exports say it since they can be imported",
        ) from error


def _demand_restorable(record: dict[str, Any], witnesses: tuple[Verifier, ...]) -> None:
    size, note = record.get("size"), str(record["note"])
    try:
        if datetime.fromisoformat(record["signed_at"]).tzinfo is None:
            raise ValueError("no offset")
    except (KeyError, TypeError, ValueError) as error:
        raise ImportRefused(
            "not_importable",
            f"the checkpoint of {size} entries does not say when it was signed",
            "export the log again: exports say it since they can be imported; this one can be verified all the same",
        ) from error
    for line in record.get("cosignatures") or ():
        try:
            signed_by = open_note(f"{parse_note(note)[0]}\n{line}", witnesses).signed_by
        except AuditRefusal as refusal:
            raise ImportRefused(
                "cosigner_unknown" if refusal.code == "no_known_signature" else refusal.code,
                f"a cosignature at {size} entries is of no witness known here: {refusal.args[1]}",
                "give the public key of the witness of that time with --witness (the one in use comes from COUNTERSIGN_WITNESS_VKEY)",
            ) from refusal
        if line.count("\n") != 1 or signed_by[0][0].algorithm != COSIGNATURE:
            raise ImportRefused(
                "export_malformed", f"a cosignature at {size} entries is not one line of one witness", TAKE_ANOTHER
            )


def _demand_whole(last_line: bytes, size: int, found: str) -> None:
    """Some of an export no signature covers: when a head was signed, a head between two others. Damage to it shows here."""
    if "sha256" not in orjson.loads(last_line):
        raise ImportRefused(
            "not_importable",
            "the export does not end with the SHA-256 of its lines",
            "export the log again: exports say it since they can be imported; this one can be verified all the same",
        )
    if last_line != orjson.dumps({"record": "end", "size": size, "sha256": found}):
        raise ImportRefused(
            "export_damaged", f"{size} entries and SHA-256 {found} is not what the last line says", TAKE_ANOTHER
        )


def _demand_signed(findings: Findings, seen: _Seen, size: int) -> None:
    """What no head covers could have been written into the file by anybody; this service would sign it as its own."""
    if size > findings.checkpoint_size:
        raise ImportRefused(
            "entries_not_signed",
            f"the last {size - findings.checkpoint_size} of {size} entries are under no signed head: nobody vouches for them",
            "export again when the log is signed, or import with --signed-only: what is left out comes again from the topics",
        )
    late = [seq for seq, _at in seen.erasures.values() if seq >= size]
    if late:
        # No topic would say it again: what a person had erased would be back.
        raise ImportRefused(
            "erasure_not_signed",
            f"entry {min(late)} says that a payload was erased, and it is under no signed head",
            "export again when the log is signed",
        )


def tenant_of(path: Path) -> str:
    """Whose log an export says it is. Raises ImportRefused."""
    for line in lines_of(path, hashlib.sha256()):
        try:
            header = orjson.loads(line)
            if header["record"] == "log":
                return str(header["tenant"])
        except (KeyError, TypeError, orjson.JSONDecodeError):
            pass
        break
    raise ImportRefused("export_malformed", f"{path} does not begin as an export of the audit log does", TAKE_ANOTHER)
