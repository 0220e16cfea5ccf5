"""What a forecaster does not load to start: after a kill it is back sooner, and loads the rest beside its work."""

import subprocess
import sys

LATE = ("lightgbm", "pandas", "scipy.special", "pyarrow", "faust")


def test_service_starts_without_what_only_models_need() -> None:
    code = f"import sys, services.forecaster.main; print([name for name in {LATE} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
