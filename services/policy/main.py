"""Starts the policy service: settings, plumbing, handlers, planning runs, HTTP; then runs until told to stop."""

from kit import held, names
from kit.runtime import Runtime, run
from services.policy import (
    api,
    as_of_api,
    classes_api,
    cut_offs,
    decision_values_api,
    parameters_api,
    recommendations_api,
    scenarios_api,
    stream,
)
from services.policy.rationale import model_of
from services.policy.runner import Runner
from services.policy.settings import Settings
from services.policy.store import commitments, order_codes


async def main() -> None:
    """Build everything, then serve."""
    settings = Settings()
    async with Runtime.start("policy", settings) as runtime:
        handlers = stream.Stream()
        stream.attach(runtime.consumer(), handlers)
        runner = Runner(runtime.database, runtime.relay, settings)
        runtime.background(runner.run_forever(), "planning")
        runtime.every(settings.sweep_seconds, lambda: handlers.sweep(runtime.database), "sweep")
        runtime.every(settings.sweep_seconds, lambda: cut_offs.pass_by(runtime.database, runtime.relay), "cut_offs")
        app = runtime.api(description="Internal: reached through the gateway.")
        api.attach(app, runtime.database, runner)
        as_of_api.attach(app, runtime.database)
        classes_api.attach(app, runtime.database)
        decision_values_api.attach(app, runtime.database)
        scenarios_api.attach(app, runtime.database)
        parameters_api.attach(app, runtime.database, runner, runtime.relay)
        recommendations_api.attach(app, runtime.database, model_of(settings))
        held.attach(
            app,
            runtime.database,
            runtime.consumer(),
            lambda tx, tenant: handlers.free(tx, tenant, cause="held"),
            {names.ORDER: order_codes.made, names.COMMITMENT: commitments.made},
            {names.COMMITMENT: commitments.alike},
        )
        await runtime.serve()


if __name__ == "__main__":
    run(main)
