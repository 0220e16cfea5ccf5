"""Laboratory: the demo's world, benchmarks, fault runs. Uses the product from outside; no service imports it."""
