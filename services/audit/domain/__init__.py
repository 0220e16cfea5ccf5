"""Pure: bytes in, hashes, proofs, entries and signatures out. No clock, no I/O, no randomness."""
