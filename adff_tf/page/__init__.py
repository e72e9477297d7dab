"""The page that shows how a song feels, in a browser.

    built.py    the page's files, which `npm run build` in `web/` writes into `static/`
    server.py   serves them with a model on the user's own machine

`export.web` lays both into a folder for a static host.
"""
