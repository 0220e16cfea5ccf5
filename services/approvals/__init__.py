"""The human decision. Owns the work queue, every decision and the orders that follow; reads recommendations and answers.

Promises: one decision per line version, nobody signs twice, every approved line on the orders topic exactly once, nothing else there.
"""
