"""Unusual days: how unusual (`score`), which ones matter and what caused them (`find`)."""
