"""The forecaster's tables: set-based statements on sorted keys, so that concurrent writers cannot deadlock."""
