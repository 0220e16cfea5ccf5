"""An environment of its own for a peer whose requirements do not go together with ours; made once, beside the project's own."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

INSTALL_SECONDS_MAX = 180
# What a peer's process ends with when the peer is not there, after one line that says why.
NOT_INSTALLED = 4


def environment(name: str, requirements: Sequence[str], *, alone: bool = False) -> Path:
    """The Python of the peer `name`. alone: install exactly the requirements, not what they ask for in turn.

    Raises CalledProcessError, TimeoutExpired, OSError.
    """
    home = Path(sys.prefix) / "peers" / name
    python = home / "bin" / "python"
    ready = home / "ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, capture_output=True)
        install = [str(python), "-m", "pip", "install", "-q", *(["--no-deps"] if alone else []), *requirements]
        subprocess.run(install, check=True, capture_output=True, timeout=INSTALL_SECONDS_MAX)
        ready.touch()
    return python


def reason(name: str, error: Exception) -> str:
    """Why the peer is not there, in a line."""
    said = getattr(error, "stderr", b"") or b""
    last = (said.decode(errors="replace").strip().splitlines() or [str(error)])[-1]
    return f"{name} could not be installed into an environment of its own: {last}"
