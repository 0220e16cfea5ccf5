"""Makes the secrets of an installation, once: database passwords and the gateway's key pair.

The audit log's own key is not among them: the audit service makes it on its volume, and it never leaves it.

`python -m deploy.credentials FOLDER` writes `FOLDER/<service>/…`, one folder a service, so that each sees only its own.
What is there already stays: running it again changes nothing. `… FOLDER replace-key` makes the gateway a new key beside the
one in use, `… FOLDER retire-key` ends the old one; services that see the files follow without a restart (docs/audit.md).
"""

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from kit.database import role_of
from kit.identity import ensure_keys, replace_key, retire_key

SERVICES = ("forecaster", "policy", "approvals", "audit", "gateway")
PASSWORD_BYTES = 24
ADMINISTRATOR = "postgres"
STEPS: dict[str, Callable[[Path], tuple[Path, Path]]] = {"replace-key": replace_key, "retire-key": retire_key}


def write_once(path: Path, text: str) -> None:
    """Write a secret unless it exists; readable by its owner alone."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def write_over(path: Path, text: str) -> None:
    """Write a secret in the place of another; whoever reads it sees the one or the other."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    write_once(draft, text)
    draft.rename(path)


def renew(folder: Path, step: str) -> None:
    """Take one step of replacing the gateway's key: first who checks is told, then who signs."""
    private, public = STEPS[step](folder / "gateway")
    for service in SERVICES:
        write_over(folder / service / "internal.pub", public.read_text("utf-8"))
    write_over(folder / "gateway" / "internal.pem", private.read_text("utf-8"))


def make(folder: Path, *, host: str, port: int, database: str) -> None:
    """Every secret of an installation whose PostgreSQL is at host:port."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    write_once(folder / "postgres" / "password", password)
    password = (folder / "postgres" / "password").read_text("utf-8")
    write_once(folder / "postgres" / "admin-url", f"postgresql://{ADMINISTRATOR}:{password}@{host}:{port}/postgres")
    for service in SERVICES:
        own = secrets.token_urlsafe(PASSWORD_BYTES)
        url = f"postgresql://{role_of(service)}:{own}@{host}:{port}/{database}"
        write_once(folder / service / "database-url", url)
    # Only the gateway can sign internal tokens; everybody can check them.
    private, public = ensure_keys(folder / "gateway")
    write_once(folder / "gateway" / "internal.pem", private.read_text("utf-8"))
    for service in SERVICES:
        write_once(folder / service / "internal.pub", public.read_text("utf-8"))


def main() -> int:
    """The command."""
    folder, steps = Path(sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if len(sys.argv) < 2 or len(steps) > 1 or not STEPS.keys() >= set(steps):
        print(f"usage: python -m deploy.credentials FOLDER [{'|'.join(STEPS)}]", file=sys.stderr)
        return 2
    host, port = os.environ.get("POSTGRES_HOST", "postgres"), int(os.environ.get("POSTGRES_PORT", "5432"))
    make(folder, host=host, port=port, database=os.environ.get("COUNTERSIGN_DATABASE_NAME", "countersign"))
    for step in steps:
        renew(folder, step)
    print(f"secrets are in {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
