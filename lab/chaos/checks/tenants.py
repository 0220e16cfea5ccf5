"""T: no row, no record and no answer carries one tenant's codes under another tenant's name.

Every code of the fault run's world begins with its tenant's name, so a foreign one is seen wherever it lies.
"""

from collections.abc import Iterable

from lab.chaos.evidence import Evidence, Violation

CODES = ("sku", "location", "supplier")


def check(evidence: Evidence) -> list[Violation]:
    """Tables, topics, answers."""
    return [*_rows(evidence), *_records(evidence), *_answers(evidence)]


def _foreign(tenant: str, text: str, tenants: Iterable[str]) -> bool:
    return any(text.startswith(f"{other}-") for other in tenants if other != tenant)


def _rows(evidence: Evidence) -> list[Violation]:
    return [
        Violation("T", "foreign", f"{table}: {code} {row[code]} under tenant {row['tenant']}")
        for table, rows in evidence.tables.items()
        for row in rows
        if "tenant" in row
        for code in CODES
        if isinstance(row.get(code), str) and _foreign(row["tenant"], row[code], evidence.tenants)
    ]


def _records(evidence: Evidence) -> list[Violation]:
    found = []
    for topic in evidence.records:
        if topic.endswith(".dead"):
            continue
        for rec in evidence.good(topic):
            tenant, body = rec.header("ce_tenant"), rec.body()
            codes = [str(body[code]) for code in CODES if body.get(code) is not None]
            if body.get("tenant", tenant) != tenant or any(_foreign(tenant, code, evidence.tenants) for code in codes):
                found.append(
                    Violation("T", "foreign", f"{topic}/{rec.partition}/{rec.offset}: {codes} under tenant {tenant}")
                )
    return found


def _answers(evidence: Evidence) -> list[Violation]:
    """What planners saw: lists of their own, and nothing at all of the other tenant's item."""
    found = []
    for op in evidence.history:
        if op.f == "peek" and op.type == "ok":
            found.append(Violation("T", "foreign", f"{op.process} was shown {op.value['sku']}"))
        if op.f == "list" and op.type == "ok":
            tenant = op.process.removeprefix("planner-")
            found += [
                Violation("T", "foreign", f"{op.process} was listed {sku}")
                for sku, _ in op.value
                if _foreign(tenant, sku, evidence.tenants)
            ]
    return found
