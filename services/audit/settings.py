"""Settings of audit beside the shared ones."""

from pathlib import Path

from pydantic import Field

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the audit service needs beyond what every service needs."""

    http_port: int = Field(8084, ge=0, le=65535, description="port to listen on")
    audit_key_file: Path | None = Field(
        None,
        description="32 secret bytes in hex that sign the logs; default data_dir/keys/audit.key, made on first use",
    )
    sign_every_seconds: float = Field(1.0, gt=0, le=60, description="how often a log that grew is signed")
    self_check_every_seconds: float = Field(
        3600.0, gt=0, description="how often the service verifies its own logs from the first entry on"
    )
    witness_url: str | None = Field(None, description="where a witness answers; none: nobody cosigns")
    witness_vkey: str | None = Field(
        None, description="the witness's public key (vkey); only its good cosignatures are kept"
    )

    @property
    def key_file(self) -> Path:
        """Where the log's secret is."""
        return self.audit_key_file or self.data_dir / "keys" / "audit.key"


class WitnessSettings(ServiceSettings):
    """A witness knows the logs' public keys, its own secret and what it saw last; nothing of the platform beside that."""

    http_port: int = Field(8085, ge=0, le=65535, description="port to listen on")
    witness_name: str = Field("countersign/witness", description="name the witness signs under")
    witness_key_file: Path | None = Field(
        None, description="32 secret bytes in hex; default data_dir/witness/witness.key, made on first use"
    )
    witness_store_file: Path | None = Field(
        None, description="SQLite file of what was seen; default data_dir/witness/seen.sqlite"
    )
    witness_log_vkeys: str = Field(
        "",
        description="vkeys of logs to witness, separated by commas or blanks; a vkey named <deployment>/audit stands for all its tenants",
    )

    @property
    def key_file(self) -> Path:
        """Where the witness's secret is."""
        return self.witness_key_file or self.data_dir / "witness" / "witness.key"

    @property
    def store_file(self) -> Path:
        """Where the witness remembers."""
        return self.witness_store_file or self.data_dir / "witness" / "seen.sqlite"
