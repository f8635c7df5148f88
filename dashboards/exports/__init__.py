"""Figures leave the house: CSV and Parquet of calls, meters or groups, and FOCUS.

Every export is one statement in DuckDB, written to a draft beside the target and renamed when it
is whole; money stays integer or DECIMAL the whole way, and the export says what it added up to.
"""
