"""Questions to the store: each a function from a connection to a small, exact answer.

Everything is aggregated in DuckDB; no record ever becomes a Python object here. Money comes back
as whole pico-dollars or `Decimal`, never as a float.
"""
