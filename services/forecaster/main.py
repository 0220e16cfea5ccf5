"""Builds the forecaster and runs it: `python -m services.forecaster.main`."""

from kit import held
from kit.runtime import Runtime, run
from services.forecaster import accuracy_api, api, backtests_api, overrides_api, pins_api, stream
from services.forecaster.backtesting import Backtester
from services.forecaster.model.artefacts import ArtefactStore
from services.forecaster.model.shelf import Place
from services.forecaster.scoring import Scorer
from services.forecaster.sensing_process import SensingProcess
from services.forecaster.settings import Settings
from services.forecaster.stream import Intake
from services.forecaster.training import Trainer
from services.forecaster.worker import Worker

# How often to look for work; a close or a correction wakes the worker before its turn.
FORECAST_EVERY_SECONDS = 0.05
TRAIN_EVERY_SECONDS = 1.0
SWEEP_EVERY_SECONDS = 5.0
SCORE_EVERY_SECONDS = 2.0
BACKTEST_EVERY_SECONDS = 1.0


async def main() -> None:
    settings = Settings()
    async with Runtime.start("forecaster", settings) as runtime:
        consumer = runtime.consumer()
        models = Place.of(settings)
        worker = Worker(runtime.database, ArtefactStore(models.open()), settings, consumer.lag, runtime.relay.wake)
        trainer = Trainer(runtime.database, models, settings, worker.wake, consumer.lag)
        intake = Intake(worker.wake)
        stream.attach(consumer, intake)
        app = runtime.api(description="Daily demand, forecasts, models, accuracy.")
        api.attach(app, runtime.database, worker.wake)
        accuracy_api.attach(app, runtime.database)
        overrides_api.attach(app, runtime.database, worker)
        pins_api.attach(app, runtime.database, worker)
        backtests_api.attach(app, runtime.database)
        runtime.every(SWEEP_EVERY_SECONDS, lambda: intake.sweep(runtime.database), "sweep")
        held.attach(app, runtime.database, consumer, intake.free)
        runtime.every(FORECAST_EVERY_SECONDS, worker.run_once, "forecast")
        scorer = Scorer(runtime.database, runtime.relay.wake)
        runtime.every(SCORE_EVERY_SECONDS, scorer.run_once, "score")
        runtime.every(TRAIN_EVERY_SECONDS, trainer.run_once, "train")
        runtime.on_close(trainer.close)
        backtester = Backtester(runtime.database, models, settings)
        runtime.every(BACKTEST_EVERY_SECONDS, backtester.run_once, "backtest")
        runtime.on_close(backtester.close)
        if settings.sensing_enabled:
            sensing = SensingProcess(settings, consumer.lag)
            runtime.check("sensing", sensing.state)
            runtime.background(sensing.watch(runtime.stop), "sensing")
            runtime.on_close(sensing.close)
        await runtime.serve()


if __name__ == "__main__":
    run(main)
