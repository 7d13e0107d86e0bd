"""Helpers for the notebooks of Workshop Week 05: data, a gradient check, pictures, a live demo. They know no answer."""
