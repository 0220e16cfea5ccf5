"""The demo's world: real receipts of 2017, and around them a deterministic simulation of what the receipts lack."""
