"""`accounts`: the first people of a tenant and an API key, so that one's own data can be sent in and looked at."""

from typing import Annotated

import typer

from cli import demo_access, output
from cli.commands.platform import demand_stores
from cli.local import load
from cli.options import AsJson, DataDir
from cli.platform.local import LocalPlatform

app = typer.Typer(add_completion=False)
Tenant = Annotated[
    str, typer.Option("--tenant", envvar="COUNTERSIGN_DEFAULT_TENANT", help="Whose; a sign-in that names none is of this one.")
]  # fmt: skip
Renew = Annotated[
    bool, typer.Option("--renew", help="Give the first accounts new passwords, also where they exist: one was lost.")
]


@app.command()
def accounts(tenant: Tenant = "demo", renew: Renew = False, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make a tenant's first accounts and an API key for `import` and `train`; the platform has to run.

    The passwords are shown, and kept with the key in the data folder, for your eyes only. More people are made by the
    administrator on the page Settings.

    \b
    Examples:
      ./run up --detach && ./run accounts
      ./run accounts --renew
    """
    local = LocalPlatform(load(data_dir), output.say)
    demand_stores(local, "no account was made")
    with demo_access.plain_refusals():
        access = demo_access.ensure(local, tenant, keep=not renew, renew=renew)
    file = local.data_dir / demo_access.FILE
    if as_json:
        output.result(
            {"tenant": tenant, "gateway": local.gateway_url, "passwords": access.passwords, "file": str(file)}
        )
        return
    output.table(("sign in as", "password"), list(access.passwords.items()))
    output.say(f"at {local.gateway_url} · kept with an API key in {file}")
    output.say("next: `./run import items.csv --kind catalogue …`, then stock and sales; see `./run import --help`")
