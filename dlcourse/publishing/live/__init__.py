"""Pages that run: Python in the reader's browser, served by the site itself.

`distribution` fetches Pyodide once into a folder of the user's, `packages` makes wheels of the NumPy half and of the
libraries beside it, `cells` gives each page's cells to the browser, `shipping` puts all of it into the built site, and
`policy` says what the site's pages may load.
"""
