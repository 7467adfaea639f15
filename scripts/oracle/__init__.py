"""An independent oracle for `ddpatrol scan`: slow, and nothing in it is the product's."""
