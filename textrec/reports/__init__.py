"""Predictions and data to figures, tables and pages to look at.

In: predictions, sample files, a model. Out: metrics/, reports/. It uses `network` and what is below.
"""
