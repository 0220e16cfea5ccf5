"""Who may sign in to the local platform: generated passwords and one API key, kept in the data folder for this user's eyes only."""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cli.errors import Exit, Trouble
from cli.platform.local import LocalPlatform
from countersign_client import ApiProblem, Client, Unreachable
from services.gateway.accounts import bootstrap

FILE = "credentials.json"
KEY_NAME = "local"
KEY_SCOPES = ["ingest", "read", "plan", "audit"]


@dataclass(frozen=True, slots=True)
class Access:
    """Passwords by user name, and the key with which the demo's shops and suppliers send their events."""

    tenant: str
    passwords: dict[str, str]
    api_key: str

    def machine(self, url: str) -> Client:
        """A client that acts as the demo's machines."""
        return Client(url, api_key=self.api_key)

    def person(self, url: str, username: str) -> Client:
        """A client that is signed in as one of the people."""
        client = Client(url)
        try:
            client.sign_in(username, self.passwords[username], self.tenant)
        except BaseException:
            client.close()
            raise
        return client


@contextmanager
def plain_refusals() -> Iterator[None]:
    """Inside, what the gateway refuses or fails to answer becomes a Trouble that a person can act on."""
    try:
        yield
    except ApiProblem as problem:
        raise Trouble(
            "gateway_refused",
            f"The gateway refused: {problem.title or problem.code}.",
            why=f"{problem} ({problem.request_id})" if problem.request_id else str(problem),
            way_out="the request id leads to the lines in the logs folder; `./run status` shows which service has a problem",
        ) from problem
    except Unreachable as silence:
        raise Trouble(
            "gateway_unreachable",
            "The gateway does not answer.",
            why=str(silence),
            way_out="start it (`./run up` or `./run demo`), or give its address with --url",
            exit_code=Exit.MISSING,
        ) from silence


def ensure(local: LocalPlatform, tenant: str, *, keep: bool = True, renew: bool = True) -> Access:
    """The kept access when it still works; else new passwords and a new key, written with mode 0600.

    `keep`: false to make new ones in any case. `renew`: false to leave accounts that exist alone.

    Raises Trouble: accounts_exist, where these are not renewed, so that nobody can make a key.
    """
    file = local.data_dir / FILE
    kept = _kept(file, tenant)
    if keep and kept is not None and _works(kept, local.gateway_url):
        return kept
    made = asyncio.run(bootstrap(local.database.service_url("gateway"), tenant, renew=renew))
    passwords = {one.username: one.password for one in made}
    if "admin" not in passwords:
        raise Trouble(
            "accounts_exist",
            f"The tenant {tenant!r} has accounts, and their passwords are not known here.",
            why=f"{file} does not hold them, and passwords are kept nowhere else in a readable form",
            way_out="sign in as an administrator and make an API key on the page Settings, or add --renew",
        )
    with Client(local.gateway_url) as admin:
        admin.sign_in("admin", passwords["admin"], tenant)
        key = admin.post("/v1/api-keys", {"name": KEY_NAME, "scopes": KEY_SCOPES, "expires_in_days": 365})
    access = Access(tenant, passwords, str(key["secret"]))
    _write(file, asdict(access))
    return access


def load(data_dir: Path) -> Access:
    """The access that was made before. Raises Trouble: credentials_missing."""
    try:
        return Access(**json.loads((data_dir / FILE).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise Trouble(
            "credentials_missing",
            f"There are no credentials in {data_dir}.",
            why=str(error),
            way_out="`./run accounts` makes them, as the demo does; or give an address and a key: --url, --api-key",
        ) from error


def _kept(file: Path, tenant: str) -> Access | None:
    try:
        kept = Access(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return kept if kept.tenant == tenant else None


def _works(access: Access, url: str) -> bool:
    try:
        with access.machine(url) as machine:
            machine.status()
    except ApiProblem as problem:
        if problem.status in (401, 403):
            return False
        raise
    return True


def _write(file: Path, content: dict[str, Any]) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    partial = file.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        json.dump(content, handle, indent=2)
    partial.replace(file)
