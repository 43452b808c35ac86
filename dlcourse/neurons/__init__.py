"""The first part: one neuron, its activation, and networks of them."""
