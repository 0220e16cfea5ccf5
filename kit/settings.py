"""Settings every service shares: from the environment, prefix COUNTERSIGN_, and `<NAME>_FILE` for what is secret."""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "COUNTERSIGN_"


class FileSource(PydanticBaseSettingsSource):
    """Reads `COUNTERSIGN_X_FILE`: the path of a mounted file that holds the value of X."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        if path is None or f"{field_name}_file" in self.settings_cls.model_fields:
            return None, field_name, False
        return Path(path).read_text("utf-8").strip(), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class ServiceSettings(BaseSettings):
    """Fails at start, not at use. Durations carry their unit in the name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    namespace: str = Field(
        "countersign", pattern=r"^[a-z0-9][a-z0-9-]{0,40}$", description="prefix of topics and consumer groups"
    )
    deployment: str = Field(
        "local",
        pattern=r"^[a-z0-9][a-z0-9.-]{0,60}$",
        description="name of this installation, part of the audit log's origin",
    )
    kafka_bootstrap: str = Field("127.0.0.1:19092", description="host:port of Kafka brokers, comma separated")
    kafka_security_protocol: str = Field(
        "PLAINTEXT", pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$", description="how to talk to Kafka"
    )
    kafka_sasl_mechanism: str = Field("SCRAM-SHA-512", description="only with SASL")
    kafka_username: str | None = Field(None, description="only with SASL")
    kafka_password: SecretStr | None = Field(None, description="only with SASL")
    kafka_ca_file: Path | None = Field(None, description="certificate authority of the brokers, only with SSL")
    database_url: SecretStr = Field(
        SecretStr("postgresql://127.0.0.1:15432/countersign"), description="Postgres, as this service's own role"
    )
    database_pool_max: int = Field(8, ge=2, le=100, description="connections this service opens at most")
    http_host: str = Field("127.0.0.1", description="address to listen on")
    http_port: int = Field(8080, ge=0, le=65535, description="port to listen on")
    data_dir: Path = Field(Path(".countersign"), description="where files live that are not in Postgres: models, keys")
    internal_public_key_file: Path | None = Field(
        None, description="Ed25519 public key (PEM) of the gateway; default data_dir/keys/internal.pub"
    )
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="least severity that is logged")
    otlp_endpoint: str | None = Field(
        None, description="OTLP/HTTP base address for traces; none: traces are made but not sent"
    )
    consumer_batch_records: int = Field(
        2000, ge=1, le=20000, description="records of one Postgres transaction; eight times as many with a backlog"
    )
    consumer_wait_milliseconds: int = Field(
        100, ge=1, le=5000, description="how long a poll waits for the first record"
    )
    consumer_session_milliseconds: int = Field(
        10_000,
        ge=6_000,
        le=300_000,
        description="silence after which Kafka gives this consumer's partitions to another",
    )
    shutdown_grace_seconds: float = Field(10.0, ge=0, le=300, description="time for work in flight after SIGTERM")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, FileSource(settings_cls)
