"""The seventh part: the network of the course in PyTorch, JAX and TensorFlow."""
