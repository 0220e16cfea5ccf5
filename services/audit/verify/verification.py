"""One pass over an export: sequence, canonical bytes, payloads, roots at every checkpoint, signatures, then the rules."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from time import perf_counter
from typing import Any

import orjson

from services.audit.domain.checkpoints import Checkpoint, hash_text, open_checkpoint, parse_checkpoint
from services.audit.domain.entries import SALT_BYTES, decode_entry
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import CompactRange, leaf_hash
from services.audit.domain.notes import COSIGNATURE, Verifier, open_note, parse_note, parse_vkey
from services.audit.verify.findings import Broken, Findings
from services.audit.verify.rules import Rules

FORMAT = "countersign-audit-export/1"
_ERASED = "audit.payload-erased.v1"
_WITHOUT_PAYLOAD = frozenset({"audit.batch.v1"})  # its records stay on their topic


@dataclass(frozen=True, slots=True)
class Trust:
    """What the one who verifies knows from elsewhere: public keys, and signed notes others kept (topic, witness, disk)."""

    keys: tuple[Verifier, ...] = ()
    notes: tuple[str, ...] = ()
    witnesses: tuple[Verifier, ...] = ()
    cosignatures_needed: int = 0


class Verification:
    """`feed` every line of an export, then `finish`. The first break ends it; later lines are not looked at."""

    def __init__(self, trust: Trust | None = None) -> None:
        self._trust = trust or Trust()
        self.findings = Findings()
        self._started = perf_counter()
        self._size = 0  # as the header states it
        self._settled = 0
        self._verifiers: list[Verifier] = []
        self._range = CompactRange()
        self._pending_leaves: list[bytes] = []
        self._outside: dict[int, list[Checkpoint]] = {}
        self._ids: set[bytes] = set()
        self._waiting: dict[str, Any] | None = None  # the entry whose payload must come next
        self._erased: dict[str, int] = {}
        self._erasures: set[str] = set()
        self._rules = Rules()
        self._newest: Checkpoint | None = None
        self._has_ended = False
        self._newest_note = ""

    @property
    def newest_note(self) -> str:
        """The newest checkpoint that was verified, to be kept for next time."""
        return self._newest_note

    def feed(self, line: bytes) -> None:
        """Take one line. Does nothing once something is broken."""
        if self.findings.problem is not None or not line.strip():
            return
        try:
            self._take(line)
        except Broken as broken:
            self._end(broken)
        except AuditRefusal as refusal:
            self._end(Broken(refusal.code, str(refusal.args[1]), self.findings.entries))
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            self._end(Broken("export_malformed", f"a line does not have its fields: {error!r}", self.findings.entries))

    def finish(self) -> Findings:
        """Judge the whole. Always answers; `findings.problem` is the first break."""
        if self.findings.problem is None:
            try:
                self._close()
                self.findings.seconds = perf_counter() - self._started
            except Broken as broken:
                self._end(broken)
        return self.findings

    def _end(self, broken: Broken) -> None:
        self.findings.problem = broken
        self.findings.seconds = perf_counter() - self._started

    def _take(self, line: bytes) -> None:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise Broken("export_malformed", f"a line is not JSON: {error}", self.findings.entries) from error
        kind = record.get("record") if isinstance(record, dict) else None
        if not self.findings.origin and kind != "log":
            raise Broken("export_malformed", "the first line must be the log's header")
        if self._has_ended:
            raise Broken("export_malformed", "there are lines after the end")
        if kind == "entry":
            self._take_entry(str(record.get("entry")).encode())
        elif kind == "payload":
            self._take_payload(record)
        elif kind == "checkpoint":
            self._take_checkpoint(record)
        elif kind == "log":
            self._take_header(record)
        elif kind == "end":
            self._has_ended = True
        else:
            raise Broken("export_malformed", f"a line of unknown kind {kind!r}", self.findings.entries)

    def _take_header(self, record: Mapping[str, Any]) -> None:
        if self.findings.origin or record.get("format") != FORMAT:
            raise Broken("export_malformed", f"the header must come once and be of format {FORMAT}")
        self.findings.tenant, self.findings.origin = str(record["tenant"]), str(record["origin"])
        self._size, self._settled = int(record["size"]), int(record["settled_size"])
        stated = [parse_vkey(text) for text in record["vkeys"]]
        pinned = {verifier.public for verifier in self._trust.keys}
        # One key signs all logs of a deployment, each under its own name: the public part is what is pinned.
        self._verifiers = [
            one for one in stated if one.name == self.findings.origin and (not pinned or one.public in pinned)
        ]
        if not self._verifiers:
            raise Broken(
                "key_not_trusted",
                "none of the keys in the export is one of those given; the log was signed by someone else",
            )
        if not pinned:
            self.findings.warnings.append(
                "the public key was taken from the export itself; give the one you trust with --key"
            )
        if self._settled < self._size:
            self.findings.warnings.append("the log was still catching up: references of its newest entries may be open")
        self._read_outside_notes()

    def _read_outside_notes(self) -> None:
        """Checkpoints kept elsewhere must be true of this log; those of other logs are passed over."""
        for note in self._trust.notes:
            text, _ = parse_note(note)
            if parse_checkpoint(text).origin == self.findings.origin:
                checkpoint = open_checkpoint(note, self.findings.origin, self._verifiers)
                self._outside.setdefault(checkpoint.size, []).append(checkpoint)
        if not self._outside:
            self.findings.warnings.append(
                "no checkpoint from elsewhere was given: an older backup of the log would look whole"
            )

    def _take_entry(self, raw: bytes) -> None:
        seq = self.findings.entries
        self._payload_must_have_come()
        entry = decode_entry(raw)
        if entry["seq"] != seq:
            raise Broken("sequence_broken", f"entry {entry['seq']} stands where {seq} must stand", seq)
        if entry["tenant"] != self.findings.tenant:
            raise Broken("foreign_entry", f"an entry of tenant {entry['tenant']!r}", seq)
        identity = sha256(f"{entry.get('source', '')}\x00{entry['id']}".encode()).digest()[:16]
        if identity in self._ids:
            raise Broken("id_twice", f"event {entry['id']} is in the log twice", seq)
        self._ids.add(identity)
        self._pending_leaves.append(leaf_hash(raw))
        self.findings.entries += 1
        if entry["type"] == _ERASED:
            self._erasures.add(str(entry.get("erased_sha256")))
        if entry["type"] in _WITHOUT_PAYLOAD:
            self._rules.see(entry, None)
        else:
            self._waiting = entry
        self._compare_outside(seq + 1)

    def _payload_must_have_come(self) -> None:
        if self._waiting is not None:
            entry = self._waiting
            raise Broken(
                "payload_missing",
                f"the content of entry {entry['seq']} ({entry['type']}) is not in the export",
                entry["seq"],
            )

    def _take_payload(self, record: Mapping[str, Any]) -> None:
        if self._waiting is None:
            raise Broken("export_malformed", "a payload that no entry asked for", self.findings.entries)
        entry, self._waiting = self._waiting, None
        digest = str(record.get("sha256"))
        if digest != entry["payload_sha256"]:
            raise Broken("payload_altered", f"entry {entry['seq']} commits to another payload", entry["seq"])
        is_salted = entry.get("payload_form") == "salted"
        if bool(record.get("salted")) != is_salted:
            form = "under a salt" if is_salted else "without a salt"
            raise Broken("payload_altered", f"entry {entry['seq']} says its payload is {form}", entry["seq"])
        if record.get("value") is None:
            if not is_salted:
                raise Broken("payload_missing", f"the payload of entry {entry['seq']} is gone", entry["seq"])
            if record.get("salt") is not None:
                raise Broken(
                    "payload_altered", f"the payload of entry {entry['seq']} is gone, its salt is not", entry["seq"]
                )
            self._erased[digest] = entry["seq"]
            self.findings.payloads_erased += 1
            self._rules.see(entry, None)
            return
        try:
            value, salt = (
                base64.b64decode(record["value"], validate=True),
                base64.b64decode(record.get("salt") or "", validate=True),
            )
        except (binascii.Error, ValueError) as error:
            raise Broken(
                "payload_altered", f"the payload of entry {entry['seq']} is not base64", entry["seq"]
            ) from error
        if sha256(salt + value).hexdigest() != digest:
            raise Broken(
                "payload_altered", f"the payload of entry {entry['seq']} is not what the entry commits to", entry["seq"]
            )
        # The hash is over salt and value in one: bytes moved from one to the other would not change it.
        if len(salt) != (SALT_BYTES if is_salted else 0):
            raise Broken("payload_altered", f"the salt of entry {entry['seq']} has {len(salt)} bytes", entry["seq"])
        self.findings.payloads += 1
        self._rules.see(entry, orjson.loads(value) if entry["type"] == "order.released.v1" else None)

    def _root_now(self) -> bytes:
        self._range, _ = self._range.extend(self._pending_leaves)
        self._pending_leaves.clear()
        return self._range.root()

    def _compare_outside(self, size: int) -> None:
        for checkpoint in self._outside.pop(size, ()):
            if checkpoint.root != self._root_now():
                raise Broken(
                    "history_rewritten",
                    f"a checkpoint kept elsewhere says entries 0 to {size - 1} were others",
                    size - 1,
                )
            self.findings.outside_checkpoints += 1

    def _take_checkpoint(self, record: Mapping[str, Any]) -> None:
        size = self.findings.entries
        note = str(record.get("note"))
        checkpoint = open_checkpoint(note, self.findings.origin, self._verifiers)
        if checkpoint.size != size:
            raise Broken(
                "checkpoint_misplaced",
                f"the checkpoint of {checkpoint.size} entries comes after {size}",
                min(size, checkpoint.size),
            )
        if checkpoint.root != self._root_now():
            first = self._newest.size if self._newest else 0
            raise Broken(
                "root_differs", f"entries {first} to {size - 1} do not give the root that was signed at {size}", first
            )
        self.findings.checkpoints += 1
        self._check_cosignatures(checkpoint, note, record.get("cosignatures") or ())
        self._newest, self._newest_note = checkpoint, note

    def _check_cosignatures(self, checkpoint: Checkpoint, note: str, lines: Sequence[str]) -> None:
        if not self._trust.witnesses or not (lines or self._trust.cosignatures_needed):
            return
        try:
            opened = open_note(note + "".join(lines), self._trust.witnesses)
            names = {verifier.name for verifier, _ in opened.signed_by if verifier.algorithm == COSIGNATURE}
        except AuditRefusal as refusal:
            if refusal.code != "no_known_signature":
                raise
            names = set()
        self.findings.cosignatures += len(names)

    def _close(self) -> None:
        findings = self.findings
        if not findings.origin:
            raise Broken("export_malformed", "the export is empty")
        self._payload_must_have_come()
        if not self._has_ended or findings.entries != self._size:
            raise Broken(
                "log_truncated", f"the export ends after {findings.entries} of {self._size} entries", findings.entries
            )
        if self._newest is None and findings.entries:
            raise Broken("not_signed", "no checkpoint in the export: nobody vouches for any entry", 0)
        if self._outside:
            size = max(self._outside)
            raise Broken(
                "log_truncated",
                f"a checkpoint kept elsewhere covers {size} entries, the log has {findings.entries}: an older state was restored",
                findings.entries,
            )
        unexplained = {digest: seq for digest, seq in self._erased.items() if digest not in self._erasures}
        if unexplained:
            seq = min(unexplained.values())
            raise Broken("erasure_not_logged", f"the payload of entry {seq} was erased, but no entry says so", seq)
        if self._newest is not None:
            findings.checkpoint_size, findings.checkpoint_root = self._newest.size, hash_text(self._newest.root)
        if findings.cosignatures < self._trust.cosignatures_needed:
            raise Broken(
                "cosignatures_missing",
                f"{findings.cosignatures} cosignatures of known witnesses, {self._trust.cosignatures_needed} needed",
                None,
            )
        findings.batched_records, findings.decisions, findings.orders = (
            self._rules.batched_records,
            self._rules.decisions,
            self._rules.orders,
        )
        self._rules.judge(self._settled)
        findings.unresolved = self._rules.unresolved


__all__ = ["Trust", "Verification"]
