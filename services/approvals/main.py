"""Starts approvals: topics in, decisions and orders out, commands over HTTP, releases and escalations by the clock."""

from kit import held, statistics
from kit.runtime import Runtime, run
from services.approvals import api, stream
from services.approvals.release import ReleaseJob
from services.approvals.settings import Settings

FORGET_EVERY_SECONDS = 3600.0


async def main() -> None:
    """Build everything, then run until told to stop."""
    settings = Settings()
    async with Runtime.start("approvals", settings) as runtime:
        clock = runtime.clock
        answers = stream.attach(runtime.consumer(), settings, clock)
        api.attach(runtime.api(), database=runtime.database, relay=runtime.relay, settings=settings, clock=clock)
        held.attach(runtime.api(), runtime.database, runtime.consumer(), answers.free)
        release = ReleaseJob(runtime.database, runtime.relay, settings, clock)
        runtime.every(settings.release_every_seconds, release.run, "release")
        runtime.every(settings.escalate_every_seconds, release.escalate, "escalate")
        runtime.every(settings.escalate_every_seconds, lambda: answers.sweep(runtime.database), "sweep")
        runtime.every(FORGET_EVERY_SECONDS, release.forget_old_answers, "forget_old_answers")
        runtime.every(statistics.EVERY_SECONDS, statistics.Statistics(runtime.database).run, "statistics")
        await runtime.serve()


if __name__ == "__main__":
    run(main)
