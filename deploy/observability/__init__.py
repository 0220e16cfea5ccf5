"""Dashboards and alert rules as code: made here, checked against the metrics the code really has."""
