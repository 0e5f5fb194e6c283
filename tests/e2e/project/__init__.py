"""The small Django project the rig runs; tests add their views to it."""
