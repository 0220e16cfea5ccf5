"""A service whose port somebody else holds is not taken for ready because the other one is."""

import pytest

from cli.errors import Trouble
from tests.ground import Services

pytestmark = pytest.mark.integration


def test_service_on_a_port_that_another_answers_on_is_told_to_have_ended(service_process: Services) -> None:
    first = service_process("audit")
    second = service_process.process("approvals", http_port=str(first.port))
    mistaken = type(second)(second.name, first.port, second.environment, second.ledger, second.logs)
    mistaken.start()
    with pytest.raises(Trouble) as refusal:
        mistaken.await_ready(seconds=60)
    assert refusal.value.code == "service_ended"
    assert "address already in use" in refusal.value.why
    assert first.readiness()[0]
