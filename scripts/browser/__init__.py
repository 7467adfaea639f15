"""Checks HTML reports of real scans in a real browser."""
