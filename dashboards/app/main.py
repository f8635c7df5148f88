"""Entry file of the pages: navigation, title, and errors that say what to do.

Streamlit runs this file from the top for every session and every change of a widget.
"""

import streamlit as st

from dashboards.app import parts, source
from dashboards.app.registry import PAGES
from dashboards.queries.periods import extent
from dashboards.queries.scope import ScopeError
from ingest.store.database import StoreError

# Drawn here: an icon by name would be fetched from another server.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect x="4" y="3" width="24" '
    'height="26" rx="3" fill="#1f6f5c"/><path d="M9 10h14M9 16h14M9 22h8" stroke="#fff" '
    'stroke-width="2.6" stroke-linecap="round"/></svg>'
)

st.set_page_config(page_title="tokenbooks", page_icon=ICON, layout="wide")

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
    chosen = next(e for e in PAGES if e.title == page.title)
    if chosen.needs_calls and source.current().ask(extent) is None:
        parts.empty_store(source.current().path)
    else:
        page.run()
except (ScopeError, StoreError) as error:
    parts.problem(str(error))
