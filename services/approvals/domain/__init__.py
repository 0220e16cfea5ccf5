"""The rules of countersigning, pure: who may decide what, in which state, for which quantity, and what becomes an order."""
