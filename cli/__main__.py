"""`python -m cli`, which is what `./run` calls."""

import sys
from pathlib import Path

# The client is a package of its own, for other people's programs; in a checkout it is used from where it lies.
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "clients" / "python"))

from cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
