"""The fifth part: many machines that train one network, what they tell one another, and what it costs.

The chapters compute with PyTorch, except the last one: what a training run costs is counted with NumPy alone.
"""
