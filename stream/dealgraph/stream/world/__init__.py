"""A simulated world of sales with known truth; see README.md of this folder."""
