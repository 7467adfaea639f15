"""An independent oracle for `ddpatrol scan`: slow, and without shared code."""
