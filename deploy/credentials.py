"""Makes the secrets of an installation, once: database passwords and the gateway's key pair.

The audit log's own key is not among them: the audit service makes it on its volume, and it never leaves it.

`python -m deploy.credentials FOLDER` writes `FOLDER/<service>/…`, one folder a service, so that each sees only its own.
What is there already stays: running it again changes nothing.
"""

import os
import secrets
import sys
from pathlib import Path

from kit.database import role_of
from kit.identity import ensure_keys

SERVICES = ("forecaster", "policy", "approvals", "audit", "gateway")
PASSWORD_BYTES = 24
ADMINISTRATOR = "postgres"


def write_once(path: Path, text: str) -> None:
    """Write a secret unless it exists; readable by its owner alone."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


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
    if len(sys.argv) != 2:
        print("usage: python -m deploy.credentials FOLDER", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    host, port = os.environ.get("POSTGRES_HOST", "postgres"), int(os.environ.get("POSTGRES_PORT", "5432"))
    make(folder, host=host, port=port, database=os.environ.get("COUNTERSIGN_DATABASE_NAME", "countersign"))
    print(f"secrets are in {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
