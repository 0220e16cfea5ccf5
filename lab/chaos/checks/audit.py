"""A: the log of each tenant is gapless, its entries give the roots that were signed, and it holds every event once.

RFC 6962 hashing, C2SP checkpoints and the batch digest are computed here anew from their specifications.
"""

import base64
import struct
from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lab.chaos.evidence import Evidence, Rec, Row, Violation

PLATFORM = "~platform"
VOLUME = ("sales.v1", "stock.v1")
EVIDENCE_TOPICS = (
    "catalogue.v1",
    "policies.v1",
    "signals.v1",
    "forecasts.v1",
    "recommendations.v1",
    "decisions.v1",
    "orders.v1",
    "order-updates.v1",
    "exceptions.v1",
)
ABSENT = 0xFFFFFFFF


def check(evidence: Evidence) -> list[Violation]:
    """Every log by itself, then what it must hold."""
    by_tenant: dict[str, list[Row]] = defaultdict(list)
    for row in evidence.rows("audit.entries"):
        by_tenant[row["tenant"]].append(row)
    notes: dict[str, list[Row]] = defaultdict(list)
    for row in evidence.rows("audit.checkpoints"):
        notes[row["tenant"]].append(row)
    found = []
    for tenant in sorted({*by_tenant, *notes, *evidence.tenants}):
        rows = sorted(by_tenant[tenant], key=lambda row: int(row["seq"]))
        found += _shape(tenant, rows)
        found += _checkpoints(evidence, tenant, rows, sorted(notes[tenant], key=lambda row: int(row["size"])))
        if tenant != PLATFORM:
            found += _complete(evidence, tenant, rows)
    return found


def _shape(tenant: str, rows: Sequence[Row]) -> list[Violation]:
    found = []
    if [row["seq"] for row in rows] != list(range(len(rows))):
        missing = sorted(set(range(len(rows))) - {row["seq"] for row in rows})[:5]
        found.append(Violation("A", "gap", f"log {tenant}: {len(rows)} entries, missing {missing}"))
    for row in rows:
        raw = bytes(row["entry"])
        if sha256(b"\x00" + raw).digest() != bytes(row["leaf"]):
            found.append(
                Violation("A", "changed", f"log {tenant}, entry {row['seq']}: its leaf hash is of other bytes")
            )
        fields = orjson.loads(raw)
        if fields["tenant"] != tenant or fields["seq"] != row["seq"]:
            found.append(
                Violation("A", "changed", f"log {tenant}, entry {row['seq']} says {fields['tenant']}/{fields['seq']}")
            )
    return found


def roots_at(leaves: Sequence[bytes], sizes: Sequence[int]) -> dict[int, bytes]:
    """RFC 6962 roots of the first n leaves, for rising sizes n; one pass over the leaves."""
    stack: list[tuple[int, bytes]] = []  # (leaves below, hash) of perfect trees, largest first
    roots, done = {}, 0
    for size in sizes:
        if size > len(leaves):
            continue
        for leaf in leaves[done:size]:
            stack.append((1, leaf))
            while len(stack) > 1 and stack[-2][0] == stack[-1][0]:
                (count, left), (_, right) = stack[-2:]
                stack[-2:] = [(2 * count, sha256(b"\x01" + left + right).digest())]
        done = size
        root = stack[-1][1] if stack else sha256(b"").digest()
        for _, left in reversed(stack[:-1]):
            root = sha256(b"\x01" + left + root).digest()
        roots[size] = root
    return roots


def _checkpoints(evidence: Evidence, tenant: str, rows: Sequence[Row], notes: Sequence[Row]) -> list[Violation]:
    if not notes:
        return [Violation("A", "unsigned", f"log {tenant} has {len(rows)} entries and no checkpoint")] if rows else []
    found = []
    roots = roots_at([bytes(row["leaf"]) for row in rows], [row["size"] for row in notes])
    for row in notes:
        origin, size, root = row["note"].split("\n")[:3]
        if int(size) != row["size"] or base64.b64decode(root) != roots.get(row["size"]):
            found.append(
                Violation("A", "inconsistent", f"log {tenant}: the entries do not give the root signed at {size}")
            )
        key = evidence.public_keys.get(tenant)
        if key is not None and not _is_signed(row["note"], origin, key):
            found.append(
                Violation("A", "forged", f"log {tenant}: the checkpoint at {size} is not signed by the log's key")
            )
    if notes[-1]["size"] != len(rows):
        what = f"log {tenant} has {len(rows)} entries; the newest checkpoint covers {notes[-1]['size']}"
        found.append(Violation("A", "truncated" if notes[-1]["size"] > len(rows) else "unsigned", what))
    return found


def _is_signed(note: str, origin: str, key: bytes) -> bool:
    """C2SP signed note: the text up to the blank line, then lines `— name base64(key hash, signature)`."""
    text, _, signatures = note.partition("\n\n")
    for line in signatures.splitlines():
        _, name, packed = line.split(" ")
        if name == origin:
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(packed)[4:], (text + "\n").encode())
                return True
            except InvalidSignature:
                return False
    return False


def _complete(evidence: Evidence, tenant: str, rows: Sequence[Row]) -> list[Violation]:
    """Each event of the evidence topics has one entry; each volume record lies in one batch, whose digest is theirs."""
    logged = Counter(row["event_hash"].bytes for row in rows)
    found = []
    for rec in evidence.good(*EVIDENCE_TOPICS):
        if rec.header("ce_tenant") == tenant and logged[rec.hash] != 1:
            kind = "lost" if logged[rec.hash] == 0 else "doubled"
            found.append(Violation("A", kind, f"log {tenant} holds {rec.topic} {rec.id} {logged[rec.hash]} times"))
    batches: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        entry = orjson.loads(bytes(row["entry"]))
        if entry["type"] == "audit.batch.v1":
            # The log names topics as the catalogue does, or with the namespace before it.
            topic = next((name for name in VOLUME if entry["topic"].endswith(name)), entry["topic"])
            batches[topic, entry["partition"]].append(entry)
    for topic in VOLUME:
        by_partition: dict[int, list[Rec]] = defaultdict(list)
        for rec in evidence.records.get(topic, ()):
            if rec.tenant == tenant:
                by_partition[rec.partition].append(rec)
        for partition in {*by_partition, *(number for name, number in batches if name == topic)}:
            found += _batched(tenant, topic, partition, by_partition[partition], batches[topic, partition])
    return found


def _batched(
    tenant: str, topic: str, partition: int, records: Sequence[Rec], batches: list[dict[str, Any]]
) -> list[Violation]:
    found, reached = [], -1
    where = f"log {tenant}, {topic}/{partition}"
    covered = 0
    for batch in sorted(batches, key=lambda one: int(one["first_offset"])):
        if batch["first_offset"] <= reached:
            found.append(Violation("A", "doubled", f"{where}: offset {batch['first_offset']} lies in two batches"))
        reached = batch["last_offset"]
        mine = [rec for rec in records if batch["first_offset"] <= rec.offset <= reached]
        covered += len(mine)
        if len(mine) != batch["count"] or records_digest(mine) != batch["payload_sha256"]:
            what = f"{where}: the batch {batch['first_offset']}..{reached} of {batch['count']} is not the topic's {len(mine)}"
            found.append(Violation("A", "changed", what))
    if covered != len(records):
        found.append(
            Violation("A", "lost", f"{where}: {len(records) - covered} of {len(records)} records lie in no batch")
        )
    return found


def records_digest(records: Sequence[Rec]) -> str:
    """SHA-256 over key, headers and value of each record, each part with its length in 32 bits before it."""
    total = sha256()

    def part(raw: bytes | None) -> None:
        total.update(struct.pack(">I", ABSENT) if raw is None else struct.pack(">I", len(raw)) + raw)

    for rec in records:
        part(rec.key)
        total.update(struct.pack(">I", len(rec.headers)))
        for name, raw in rec.headers:
            part(name.encode())
            part(raw)
        part(rec.value)
    return total.hexdigest()
