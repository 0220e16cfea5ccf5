"""Makes a tenant's first accounts and prints their passwords once: `python -m deploy.accounts TENANT`, in the gateway's image."""

import asyncio
import sys

from kit.settings import ServiceSettings
from services.gateway.accounts import bootstrap


def main() -> int:
    """The command. Accounts that exist are left alone."""
    if len(sys.argv) != 2:
        print("usage: python -m deploy.accounts TENANT", file=sys.stderr)
        return 2
    made = asyncio.run(bootstrap(ServiceSettings().database_url.get_secret_value(), sys.argv[1]))
    for account in made:
        print(f"{account.username}\t{account.password}")
    if not made:
        print("the accounts exist already; their passwords are not shown again", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
