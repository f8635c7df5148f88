"""Entry file of the pages: navigation, title, and errors that say what to do.

Streamlit runs this file from the top for every session and every change of a widget.
"""

from typing import Any

import streamlit as st

from dashboards.app import login, parts, source
from dashboards.app.registry import MENU, PAGES, Entry
from dashboards.queries.periods import extent
from dashboards.queries.scope import ScopeError
from ingest.store.database import StoreError

# Drawn here: an icon by name would be fetched from another server.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect x="4" y="3" width="24" '
    'height="26" rx="3" fill="#1f6f5c"/><path d="M9 10h14M9 16h14M9 22h8" stroke="#fff" '
    'stroke-width="2.6" stroke-linecap="round"/></svg>'
)

# What the theme cannot say, so that all text has 4.5 to 1: captions without the opacity that fades
# their links too, code in one colour, the chosen one of several buttons and the value
# of a slider in the text's own. And a ring around what the keyboard is at.
STYLE = """<style>
[data-testid="stCaptionContainer"] { opacity: 1 !important; }
[data-testid="stCaptionContainer"] :is(p, li) {
  color: color-mix(in srgb, currentColor 72%, transparent);
}
[data-testid="stCode"] code span { color: inherit !important; }
[role="radiogroup"] button[aria-checked="true"],
[role="radiogroup"] button[aria-checked="true"] *,
[data-testid="stSliderThumbValue"], [data-testid="stSliderThumbValue"] * {
  color: inherit !important;
}
:is(a, button, summary):focus-visible {
  outline: 2px solid currentColor !important; outline-offset: 1px;
}
</style>"""

st.set_page_config(page_title="tokenbooks", page_icon=ICON, layout="wide")
st.html(STYLE)
if not login.admitted(getattr(getattr(source.current().settings, "serve", None), "allow", ())):
    st.stop()


def listed(entry: Entry, **place: Any) -> Any:
    """The entry as a page of the menu."""
    icon = f":material/{entry.icon}:"
    return st.Page(entry.file, title=entry.title, icon=icon, help=entry.help, **place)


folds = {
    fold: [listed(entry, url_path=entry.name) for entry in entries]
    for fold, entries in MENU.items()
}
# The first page is served at the root, and Streamlit then no longer knows it by its own address:
# that one stays as a page which is not in the menu.
first = PAGES[0]
folds[""][:1] = [
    listed(first, default=True, url_path="start"),
    listed(first, url_path=first.name, visibility="hidden"),
]
page = st.navigation(folds, position="top")
st.set_page_config(page_title=f"{page.title} · tokenbooks")
st.title(page.title)
try:
    chosen = next(e for e in PAGES if e.title == page.title)
    if chosen.needs_calls and source.current().ask(extent) is None:
        parts.empty_store(source.current().path)
    else:
        page.run()
except (ScopeError, StoreError) as error:
    parts.problem(str(error))
