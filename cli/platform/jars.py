"""The Kafka server's jars: resolved once through `jgo`, checked against pinned hashes, then found without a network."""

import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from cli.errors import Exit, Trouble

KAFKA_VERSION = "4.1.1"
ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"
PINNED = Path(__file__).with_name("kafka-jars.lock")


def pinned_hashes() -> dict[str, str]:
    """Jar file name to SHA-256, as committed: what may run as the broker."""
    rows = [line.split() for line in PINNED.read_text().splitlines() if line and not line.startswith("#")]
    return {name: digest for digest, name in rows}


def folder() -> Path:
    """Where the jars live: inside the virtual environment, so that they outlive `./run reset`."""
    chosen = os.environ.get("COUNTERSIGN_JARS_DIR")
    return Path(chosen) if chosen else Path(sys.prefix) / "share" / "countersign" / f"kafka-{KAFKA_VERSION}"


def cached(where: Path | None = None) -> list[Path] | None:
    """The jars when all of them are there, else None. Hashes were checked when they were put there."""
    home = where or folder()
    if not (home / "complete").exists():
        return None
    paths = [home / name for name in sorted(pinned_hashes())]
    return paths if all(path.exists() for path in paths) else None


def ensure(say: Callable[[str], None]) -> list[Path]:
    """The jars, fetched on first use (46 files, 43 MB). Raises Trouble: kafka_download_failed, kafka_download_altered."""
    home = folder()
    found = cached(home)
    if found is not None:
        return found
    say(f"fetching Apache Kafka {KAFKA_VERSION} (46 jars, 43 MB; only on the first start)")
    fetched = _fetch()
    partial = home.with_name(home.name + f".partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for jar in fetched:
            shutil.copyfile(jar, partial / jar.name)
        check(partial)
        (partial / "complete").touch()
        shutil.rmtree(home, ignore_errors=True)
        with contextlib.suppress(OSError):  # another terminal finished the same work first
            partial.rename(home)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    found = cached(home)
    if found is None:
        raise _failed(f"{home} is still incomplete after the download")
    return found


def check(home: Path) -> None:
    """Refuse jars that differ from the pinned list in name or content: what runs is what was reviewed."""
    expected = pinned_hashes()
    actual = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in home.glob("*.jar")}
    wrong = sorted(name for name in expected.keys() | actual.keys() if expected.get(name) != actual.get(name))
    if wrong:
        raise Trouble(
            "kafka_download_altered",
            "The downloaded Kafka jars are not the ones this version was checked with.",
            why=f"{len(wrong)} of {len(expected)} differ from {PINNED.name}, first {wrong[0]}",
            way_out="delete the jars' entries in ~/.m2/repository and try again; if it stays so, do not run them",
        )


def _fetch() -> list[Path]:
    # jgo narrates through logging and a progress bar; both belong in our own words.
    import logging

    logging.getLogger("jgo").setLevel(logging.ERROR)
    import jgo

    try:
        with open(os.devnull, "w") as quiet, contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            return [Path(jar) for jar in jgo.build(ENDPOINT).all_jars]
    except OSError as error:
        raise _failed(str(error)) from error
    except RuntimeError as error:
        raise _failed(str(error)) from error


def _failed(why: str) -> Trouble:
    return Trouble(
        "kafka_download_failed",
        "Apache Kafka could not be fetched.",
        why=why or "the connection ended early",
        way_out="check the network, its proxy settings and the free disk, then run the same command again; what was "
        "fetched is kept. Or set COUNTERSIGN_KAFKA_BOOTSTRAP to a broker you have.",
        exit_code=Exit.MISSING,
    )
