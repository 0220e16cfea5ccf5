"""Measurements of the running product: events per second, latency, planning time, memory; each with what it is compared to."""
