"""The plumbing every service stands on: settings, Kafka, Postgres, exactly-once effects, HTTP, telemetry.

Knows no business word.
"""
