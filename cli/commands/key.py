"""`key`: replace the key with which the gateway vouches for people at the other services, while all of them run."""

from typing import Annotated

import typer

from cli import output
from cli.errors import Exit, Trouble
from cli.local import load
from cli.options import AsJson, DataDir
from cli.platform.local import LocalPlatform
from kit.identity import LEEWAY_SECONDS, LIFETIME_SECONDS, replace_key, retire_key

app = typer.Typer(add_completion=False)
# Steps in the order in which they are taken.
REPLACE, RETIRE = "replace", "retire"


@app.command()
def key(
    step: Annotated[str, typer.Argument(help=f"`{REPLACE}`, and when it is over, `{RETIRE}`.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Replace the gateway's internal key. Nothing is stopped: services look at the key's files on every use.

    `replace` makes a new key, which signs at once; tokens of the one before stay good. `retire` ends that one.

    \b
    Examples:
      ./run key replace
      ./run key retire        # two minutes later; at once, when the old key was stolen
    """
    local = LocalPlatform(load(data_dir), output.say)
    if step not in (REPLACE, RETIRE):
        raise Trouble(
            "step_unknown",
            f"There is no step {step!r}.",
            why=f"the steps are {REPLACE} and {RETIRE}",
            way_out="name one of them",
            exit_code=Exit.USAGE,
        )
    private, public = (replace_key if step == REPLACE else retire_key)(local.data_dir)
    if as_json:
        output.result({"step": step, "private": str(private), "public": str(public)})
    elif step == REPLACE:
        output.say(f"a new key signs; tokens of the one before live {LIFETIME_SECONDS + LEEWAY_SECONDS} seconds more")
        output.say("next: `./run key retire`; with single sign-on after an hour, so that nobody has to sign in again")
    else:
        output.say(f"only the newest key counts now ({private}, {public})")
