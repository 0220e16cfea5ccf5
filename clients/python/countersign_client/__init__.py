"""Thin typed client of the Countersign gateway: send events, see what is recommended, decide, follow orders, prove it.

>>> from countersign_client import Client, Event
>>> with Client("http://127.0.0.1:8080", api_key="cs....") as client:  # doctest: +SKIP
...     report = client.send([Event.new("sale.recorded.v1", "pos/till-7", {...})])
...     print(report.accepted, [bad.reason for bad in report.rejected])
"""

from countersign_client.client import Client
from countersign_client.errors import ApiProblem, Unreachable
from countersign_client.events import BatchReport, Event, EventResult, LinesReport
from countersign_client.transport import Retry

__all__ = ["ApiProblem", "BatchReport", "Client", "Event", "EventResult", "LinesReport", "Retry", "Unreachable"]
