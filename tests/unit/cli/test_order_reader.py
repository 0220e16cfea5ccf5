"""The demo's reader of orders can be stopped at any time, also after it has ended by itself."""

import pytest

from cli.demo_live import OrderReader


def test_reader_that_has_ended_by_itself_is_stopped_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_reader: OrderReader) -> None:
        return

    monkeypatch.setattr(OrderReader, "_read", nothing)
    reader = OrderReader("127.0.0.1:1", "orders")
    reader.start()
    reader._thread.join(timeout=10)
    reader.stop()
    assert not reader._thread.is_alive()
