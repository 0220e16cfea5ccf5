"""H: after every fault the system catches up by itself within the bound, and the dead letters are the injected bad events."""

from collections import Counter

from lab.chaos.evidence import Evidence, Violation

# Who decodes the records of a topic and so must complain about one that cannot be read. Audit takes volume as bytes.
READERS = {"sales.v1": ("forecaster", "policy"), "stock.v1": ("forecaster", "policy")}


def check(evidence: Evidence) -> list[Violation]:
    """Recovery times, backlogs at the end, dead letters."""
    found = [
        Violation("H", "slow", f"after {fault} it took {seconds:.0f} s to catch up")
        for fault, seconds in evidence.recoveries
        if seconds > evidence.recovery_seconds_max
    ]
    found += [Violation("H", "backlog", f"{what}: {count}") for what, count in evidence.waiting.items() if count]
    return found + _letters(evidence)


def _letters(evidence: Evidence) -> list[Violation]:
    """Each injected bad record has a letter from each reader of its topic; nothing else has one."""
    bad, written = evidence.bad(), Counter[tuple[str, bytes]]()
    for topic in READERS:
        for rec in evidence.records.get(topic, ()):
            if (topic, rec.value or b"") in bad:
                written[topic, rec.value or b""] += 1
    found = []
    complained: Counter[tuple[str, str, bytes]] = Counter()
    for name, records in evidence.records.items():
        if not name.endswith(".dead"):
            continue
        topic = name.removesuffix(".dead")
        for rec in {one.id: one for one in records}.values():
            complained[topic, rec.header("dead_consumer"), rec.value or b""] += 1
            if (topic, rec.value or b"") not in written:
                what = f"{name}/{rec.offset} by {rec.header('dead_consumer')}: {rec.header('dead_code')}"
                found.append(Violation("H", "dead letter", f"{what}: {rec.header('dead_detail')[:160]}"))
    for (topic, value), count in written.items():
        for reader in READERS[topic]:
            if complained[topic, reader, value] != count:
                times = complained[topic, reader, value]
                found.append(
                    Violation(
                        "H", "dead letter", f"{reader} has {times} letters for {count} bad {topic} {value[:60]!r}"
                    )
                )
    return found
