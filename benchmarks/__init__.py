"""Measurements that the documentation cites; run them from the root of the repository. Figures: ``results.md``."""
