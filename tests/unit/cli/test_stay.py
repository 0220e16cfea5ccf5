"""A command in the foreground ends what uses the services before it ends them."""

from types import SimpleNamespace
from typing import Any

from cli.commands.platform import stay


def test_what_uses_the_services_ends_while_they_still_answer() -> None:
    ended: list[str] = []

    def stop_started() -> list[str]:
        ended.append("services")
        return []

    # Nothing of it is running any more: another terminal was faster.
    local: Any = SimpleNamespace(started=[], ledger=SimpleNamespace(names=list), stop_started=stop_started)
    assert stay(local, before_stop=lambda: ended.append("feed")) is False
    assert ended == ["feed", "services"]
