"""Helpers for the notebooks of Workshop Week 05: data, a gradient check, pictures and a live demo. They know no answer."""
