"""The Streamlit pages: `main` is the entry file, `views/` has one file a page.

A page asks `source.current()` and shows the answer with the parts in `parts`, `charts` and
`filters`. To add a page, write `views/NAME.py` and add one line to `registry.PAGES`.
"""
