"""`./run verify`: check an exported log, or fetch it first; says what is proven, exits 1 on the first break."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson

from services.audit.domain.errors import AuditRefusal
from services.audit.domain.notes import Verifier, parse_vkey
from services.audit.verify import fetching
from services.audit.verify.findings import Findings
from services.audit.verify.verification import Trust, Verification

BROKEN, UNUSABLE = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """0: the log holds. 1: it is broken (the first break is named). 2: it could not be read."""
    options = _parser().parse_args(argv)
    try:
        trust = _trust(options)
        if options.from_service:
            fetched = fetching.fetch(options.url, options.tenant)
            trust = Trust(
                (*trust.keys, *fetched.keys), (*trust.notes, *fetched.notes), trust.witnesses, trust.cosignatures_needed
            )
            lines: Iterable[bytes] = fetched.lines
        elif options.export is None:
            raise fetching.Unusable("name an export file ('-' reads standard input), or give --from-service")
        else:
            lines = _read(options.export)
        verification = Verification(trust)
        for line in lines:
            verification.feed(line)
        findings = verification.finish()
    except (fetching.Unusable, AuditRefusal, OSError) as error:
        print(
            orjson.dumps({"ok": False, "error": str(error)}).decode() if options.json else f"Cannot verify: {error}",
            file=sys.stdout if options.json else sys.stderr,
        )
        return UNUSABLE
    if findings.ok and options.memory is not None and verification.newest_note:
        _remember(options.memory, verification.newest_note)
    print(orjson.dumps(findings.document(), option=orjson.OPT_INDENT_2).decode() if options.json else _told(findings))
    return 0 if findings.ok else BROKEN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="verify", description="Check the audit log offline: every entry, root, signature and rule."
    )
    parser.add_argument("export", nargs="?", help="exported log (JSON lines); '-' reads standard input")
    parser.add_argument(
        "--from-service",
        action="store_true",
        help="fetch the log, the published checkpoints and the pinned key of the platform running here",
    )
    parser.add_argument(
        "--url",
        help="address of the audit service, with --from-service (default: COUNTERSIGN_AUDIT_URL, else http://127.0.0.1:8084)",
    )
    parser.add_argument("--tenant", default="demo", help="whose log, with --from-service (default: demo)")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="VKEY|FILE",
        help="public key you trust; else the export's own key is used and you are warned",
    )
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="FILE",
        type=Path,
        help="signed note kept elsewhere: finds truncation and restored backups",
    )
    parser.add_argument(
        "--memory", metavar="FILE", type=Path, help="remember the newest checkpoint here, and compare with it next time"
    )
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="VKEY",
        help="public key of a witness whose cosignatures count",
    )
    parser.add_argument("--cosignatures", type=int, default=0, metavar="N", help="cosignatures needed (default 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _trust(options: argparse.Namespace) -> Trust:
    files = [*options.checkpoint, *([options.memory] if options.memory is not None and options.memory.exists() else [])]
    return Trust(
        keys=tuple(key for text in options.key for key in _keys(text)),
        notes=tuple(path.read_text("utf-8") for path in files),
        witnesses=tuple(parse_vkey(text) for text in options.witness),
        cosignatures_needed=options.cosignatures,
    )


def _keys(text: str) -> list[Verifier]:
    lines = text if "+" in text else Path(text).read_text("utf-8")
    return [parse_vkey(line) for line in lines.split()]


def _read(name: str) -> Iterable[bytes]:
    if name == "-":
        yield from sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield from file


def _remember(path: Path, note: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_text(note, "utf-8")
    draft.replace(path)


def _told(findings: Findings) -> str:
    """The findings in sentences."""
    facts = findings.document()
    lines = [
        f"Log {findings.origin or '(none)'}: {findings.entries} entries, {facts['entries_per_second']:,} a second."
    ]
    if findings.problem is not None:
        where = "" if findings.problem.seq is None else f" at entry {findings.problem.seq}"
        lines.append(f"BROKEN{where}: {findings.problem.message} [{findings.problem.code}]")
    else:
        lines += [
            f"Holds: {findings.checkpoints} signed heads, the newest over {findings.checkpoint_size} entries; root {findings.checkpoint_root}.",
            f"{findings.payloads} payloads match ({findings.payloads_erased} erased), {findings.batched_records} sales and stock records stand in batches.",
            f"{findings.decisions} decisions and {findings.orders} orders obey the rules; {findings.outside_checkpoints} checkpoints from elsewhere agree.",
        ]
    return "\n".join([*lines, *(f"Note: {warning}." for warning in findings.warnings)])


if __name__ == "__main__":
    raise SystemExit(main())
