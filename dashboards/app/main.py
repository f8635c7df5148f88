"""Entry file of the pages: navigation, title, and errors that say what to do.

Streamlit runs this file from the top for every session and every change of a widget.
"""

import streamlit as st

from dashboards.app import parts, source
from dashboards.app.registry import PAGES
from dashboards.queries.periods import extent
from dashboards.queries.scope import ScopeError
from ingest.store.database import StoreError

# Pages that answer without any imported call.
STORELESS = ("rates", "simulate", "replay")

st.set_page_config(page_title="tokenbooks", page_icon=":material/menu_book:", layout="wide")

page = st.navigation(
    [
        st.Page(
            e.file,
            title=e.title,
            icon=f":material/{e.icon}:",
            url_path=e.name,
            default=n == 0,
            help=e.help,
        )
        for n, e in enumerate(PAGES)
    ],
    position="top",
)
st.title(page.title)
try:
    if page.url_path not in STORELESS and source.current().ask(extent) is None:
        parts.empty_store(source.current().path)
    else:
        page.run()
except (ScopeError, StoreError) as error:
    parts.problem(str(error))
