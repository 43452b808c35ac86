"""Hostile and odd submissions, each a small recipe with its honest score; `recipe.py` says how one is added."""
