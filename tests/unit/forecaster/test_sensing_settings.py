"""Sensing signs in at the brokers exactly as every other client does: Faust's options equal those of `kit.kafka`."""

from pathlib import Path

import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from pydantic import SecretStr

from kit.kafka import connection
from services.forecaster.sensing import credentials
from services.forecaster.settings import Settings


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_faust_gets_the_options_of_the_other_clients(protocol: str, mechanism: str, tmp_path: Path) -> None:
    settings = Settings(
        kafka_security_protocol=protocol,
        kafka_sasl_mechanism=mechanism,
        kafka_username="forecaster",
        kafka_password=SecretStr("secret"),
        data_dir=tmp_path,
    )
    ours = connection(settings)
    theirs = dict(credentials_to_aiokafka_auth(credentials(settings)))
    assert (theirs.pop("ssl_context", None) is None) == (ours.pop("ssl_context", None) is None)
    ours.pop("bootstrap_servers")
    assert theirs == ours
