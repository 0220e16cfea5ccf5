"""The field's textbook formulas, each with units, refusals and source; held to third-party oracles by tests."""
