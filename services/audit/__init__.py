"""Audit keeps the tamper-evident log: one Merkle log per tenant over everything that carries a decision or its evidence.

It reads every topic except its own checkpoints and owns the entries, the payloads they commit to and the signed heads.
It promises: no gap, nothing twice, and no change that a stranger with the exported bytes and one public key would not see.
"""
