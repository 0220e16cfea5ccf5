"""The policy service's tables. SQL lives here and nowhere else; every statement works on whole batches."""
