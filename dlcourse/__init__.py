"""Deep learning from the first neuron to many GPUs: the package behind the book and its exercises.

One stem names a concept in all its places: ``book/neurons/neuron.md`` explains it, ``dlcourse/neurons/neuron.py``
implements it, ``exercises/neurons/neuron.md`` asks for it, and ``tests/neurons/test_neuron.py`` holds it to its promises.
"""

__version__ = "0.1.0"
