"""`./run import`: a user's own CSV files (sales, stock, catalogue) become events, sent through the same API as any till's."""

from cli.import_csv.command import app

__all__ = ["app"]
