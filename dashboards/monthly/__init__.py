"""The month on paper: one HTML file with its images inside, for people who open no dashboard.

`facts` asks the store, `charts` draws inline SVG, `page` writes the HTML, `pdf` prints it through a
browser where there is one.
"""
