"""Notices to people of the desk: recorded once, delivered in the app, read."""
