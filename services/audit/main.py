"""Starts audit: every topic in, signed log out; questions over HTTP; checks of its own log by the clock."""

from kit import telemetry
from kit.errors import TRANSIENT
from kit.runtime import Runtime, run
from services.audit import api, keys, stream
from services.audit.checking import SelfCheck
from services.audit.cosigning import Cosigning
from services.audit.guard import Guard, read_published
from services.audit.settings import Settings
from services.audit.signing import Signing

log = telemetry.get_logger()
COSIGN_EVERY_SECONDS = 1.0
SELF_CHECK_LOOK_SECONDS = 60.0


async def main() -> None:
    """Build everything, then run until told to stop; the last thing it does is to sign what it took in."""
    settings = Settings()
    log_keys = keys.load(settings.deployment, settings.key_file)
    keys.publish(settings.key_file.with_suffix(".vkey"), log_keys.deployment_vkeys())
    async with Runtime.start("audit", settings) as runtime:
        clock = runtime.clock
        guard = Guard()
        consumer = runtime.consumer()
        stream.attach(consumer, settings.namespace)
        signing = Signing(runtime.database, log_keys, guard, clock)
        check = SelfCheck(runtime.database, consumer, log_keys, clock)
        api.attach(runtime.api(), runtime.database, consumer, log_keys, check, settings.witness_vkey, clock)

        async def sign() -> None:
            # Nothing is signed before it is known what was published; while Kafka is away this fails and is tried again.
            if not guard.has_read_published:
                await read_published(settings, runtime.database, log_keys, guard)
            if await signing.sign_all():
                runtime.relay.wake()

        async def self_check() -> None:
            await check.run_due(settings.self_check_every_seconds)

        async def sign_last() -> None:
            try:
                if guard.has_read_published:
                    await signing.sign_all()
            except TRANSIENT as error:
                log.warning("last_signing_failed", error=f"{type(error).__name__}: {error}")

        runtime.every(settings.sign_every_seconds, sign, "sign")
        runtime.every(SELF_CHECK_LOOK_SECONDS, self_check, "self_check")
        if settings.witness_url and settings.witness_vkey:
            cosigning = Cosigning(runtime.database, settings.witness_url, settings.witness_vkey, guard)
            runtime.every(COSIGN_EVERY_SECONDS, cosigning.run, "cosign")
            runtime.on_close(cosigning.close)
        runtime.on_close(sign_last)
        await runtime.serve()


if __name__ == "__main__":
    run(main)
