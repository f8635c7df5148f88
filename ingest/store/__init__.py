"""The DuckDB store: one file, one owner, whole imports or none.

`database` opens it (as owner, or a snapshot for reading), `schema` says what is in it, `load`
puts finished batches in, `book` keeps its rates and routes in step with the catalogue.
"""
