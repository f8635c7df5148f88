"""The pages: plain scripts, run by Streamlit. Their titles and order are in `registry`."""
