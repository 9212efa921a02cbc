"""The demo: families of the three seed regions, and a purchase."""
