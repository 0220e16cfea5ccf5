"""Settings of the local platform and its folder: where data lives, which ports, whose broker and database."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from cli.errors import Exit, Trouble
from cli.platform.ports import any_free, is_free

ROOT = Path(__file__).resolve().parent.parent
# Raised when what lies in the data folder can no longer be read by this code; an older folder is then refused.
LAYOUT = 1
DEFAULT_NAME = ".countersign"


class LocalSettings(BaseSettings):
    """From the environment, prefix COUNTERSIGN_; options of a command go first."""

    model_config = SettingsConfigDict(env_prefix="COUNTERSIGN_", extra="ignore", frozen=True)

    data_dir: Path = Field(Path(DEFAULT_NAME), description="local data: broker, database, models, keys, logs")
    namespace: str = Field("countersign", description="prefix of topics and consumer groups")
    kafka_bootstrap: str | None = Field(None, description="a Kafka you have; none: an embedded one is started")
    database_admin_url: str | None = Field(
        None, description="a PostgreSQL you have, as a role that may create roles and databases; none: embedded"
    )
    database_name: str = Field("countersign", description="name of the database on that server")
    kafka_port: int = Field(19092, ge=1, le=65535, description="port of the embedded Kafka")
    kafka_controller_port: int = Field(19093, ge=1, le=65535, description="port of its controller")
    postgres_port: int = Field(15432, ge=1, le=65535, description="port of the embedded PostgreSQL")
    gateway_port: int = Field(8080, ge=1, le=65535, description="port of the gateway: UI and API")
    forecaster_port: int = Field(8081, ge=1, le=65535, description="port of the forecaster")
    policy_port: int = Field(8082, ge=1, le=65535, description="port of policy")
    approvals_port: int = Field(8083, ge=1, le=65535, description="port of approvals")
    audit_port: int = Field(8084, ge=1, le=65535, description="port of audit")

    @property
    def folder(self) -> Path:
        """The data folder; a relative one lies in the checkout, wherever the command was typed."""
        return self.data_dir if self.data_dir.is_absolute() else ROOT / self.data_dir

    def service_port(self, service: str) -> int:
        """The HTTP port of a service."""
        return int(getattr(self, f"{service}_port"))


PORT_FIELDS = tuple(name for name in LocalSettings.model_fields if name.endswith("_port"))


def load(data_dir: Path | None = None, *, any_port: bool = False) -> LocalSettings:
    """The settings; the ports of a running platform of this folder are taken from its notes.

    `any_port`: every port that is taken is replaced by a free one.
    """
    settings = LocalSettings()
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir.absolute()})
    noted = DataFolder(settings.folder).noted_ports()
    if noted is not None:
        return settings.model_copy(update=noted)
    if any_port:
        free = {name: any_free() for name in PORT_FIELDS if not is_free(getattr(settings, name))}
        settings = settings.model_copy(update=free)
    return settings


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The folder that holds everything local, with a stamp that says whose layout it has."""

    path: Path

    @classmethod
    def of(cls, settings: LocalSettings) -> Self:
        """The folder these settings name."""
        return cls(settings.folder)

    @property
    def stamp(self) -> Path:
        """Holds the number of the layout."""
        return self.path / "layout-version"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.path / "logs"

    @property
    def run(self) -> Path:
        """What runs: process records, ports, the lock."""
        return self.path / "run"

    def claim(self) -> None:
        """Make the folder, or check that it is ours and of this layout.

        Raises Trouble: data_dir_old, data_dir_newer, data_dir_foreign, data_dir_unwritable.
        """
        self.examine()
        try:
            self.run.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
            self.stamp.write_text(f"{LAYOUT}\n")
        except OSError as error:
            raise Trouble(
                "data_dir_unwritable",
                f"The data folder {self.path} cannot be written.",
                why=str(error),
                way_out="free some disk or give the folder to this user; or choose another with --data-dir",
            ) from error

    def examine(self) -> None:
        """Refuse a folder that is somebody else's or of another layout; one that is not there yet is fine."""
        named_after_us = self.path.name == DEFAULT_NAME
        if not named_after_us and self.path.exists() and not self.stamp.exists() and any(self.path.iterdir()):
            self._refuse_foreign()
        if self.stamp.exists():
            self._refuse_other_layout()

    def note_ports(self, settings: LocalSettings) -> None:
        """Remember the ports of the running platform, so that other commands find it."""
        self.run.mkdir(parents=True, exist_ok=True)
        partial = self.run / f"ports.{os.getpid()}"
        partial.write_text(json.dumps({name: getattr(settings, name) for name in PORT_FIELDS}))
        partial.replace(self.run / "ports.json")

    def noted_ports(self) -> dict[str, int] | None:
        """Ports of the running platform; None when nothing was noted."""
        try:
            noted = json.loads((self.run / "ports.json").read_text())
        except (OSError, ValueError):
            return None
        return {name: int(noted[name]) for name in PORT_FIELDS if name in noted}

    def forget_ports(self) -> None:
        """After everything has stopped: the next start chooses anew."""
        (self.run / "ports.json").unlink(missing_ok=True)

    def _refuse_other_layout(self) -> None:
        found = self.stamp.read_text().strip()
        if found == str(LAYOUT):
            return
        newer = found.isdigit() and int(found) > LAYOUT
        raise Trouble(
            "data_dir_newer" if newer else "data_dir_old",
            f"The data folder {self.path} was made by {'a newer' if newer else 'an older'} version of this project.",
            why=f"its layout is {found or 'empty'}, this version reads {LAYOUT}",
            way_out="`./run reset` deletes it (local data only) and the next start makes a new one; or keep it and "
            "choose another with --data-dir",
        )

    def _refuse_foreign(self) -> None:
        raise Trouble(
            "data_dir_foreign",
            f"{self.path} is not empty and was not made by this project.",
            why="it has no file `layout-version`",
            way_out="choose another folder with --data-dir",
            exit_code=Exit.USAGE,
        )
