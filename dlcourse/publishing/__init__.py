"""The book's build: pages executed once, assets served from the site itself, and the site on 127.0.0.1."""
