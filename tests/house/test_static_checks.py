"""What `./run check` checks holds: format, lint, types, layers, generated files."""

import subprocess

import pytest

from cli.commands.checks import Static, statics
from cli.local import ROOT


@pytest.mark.timeout(300)
@pytest.mark.parametrize("static", statics(), ids=lambda static: static.name)
def test_static_check_passes(static: Static) -> None:
    done = subprocess.run(static.command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"put right with: {static.way_out}\n{done.stdout}{done.stderr}"
