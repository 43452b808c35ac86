"""Classic mistakes of the exercise ``gpus/memory``, each with what its author must be told.

Each costs the points of its own task only: where a later task calls an earlier one, the reference stands in for it.
"""

from dlcourse.checks import Mistake

COUNT = {"parameter_count_check": 1, "parameter_count_hidden": 1}
STATE = {"state_gib_check": 2, "state_gib_hidden": 2}
ACTIVATIONS = {"activation_bytes_check": 2, "activation_bytes_hidden": 2}
FITS = {"largest_batch_check": 2, "largest_batch_hidden": 2}
NONE = {"largest_batch_check": 1, "largest_batch_hidden": 1}
ARRAYS = {"checkpoint_arrays_check": 1, "checkpoint_arrays_hidden": 1}
PIECES = {"held_gradients_check": 2, "held_gradients_hidden": 4}
REST = {"held_gradients_check": 1, "held_gradients_hidden": 2}


def _count(
    name: str, told: str, *, layer: str = "n_in * n_out + n_out", pairs: str = "zip(sizes, sizes[1:])"
) -> Mistake:
    code = f"def parameter_count(sizes):\n    return sum({layer} for n_in, n_out in {pairs})\n"
    return Mistake("parameter_count", name, code, COUNT, told)


def _state(name: str, formula: str, told: str) -> Mistake:
    code = f"def state_gib(parameters, itemsize, moments):\n    return {formula}\n"
    return Mistake("state_gib", name, code, STATE, told)


def _kept(name: str, formula: str, told: str) -> Mistake:
    code = f"def activation_bytes(sizes, batch, itemsize):\n    return {formula}\n"
    return Mistake("activation_bytes", name, code, ACTIVATIONS, told)


def _fits(
    name: str,
    told: str,
    loses: dict[str, float] = FITS,
    *,
    held: str = "16 * parameter_count(sizes)",
    result: str = "max(0, left // activation_bytes(sizes, 1, 4))",
) -> Mistake:
    code = f"def largest_batch(sizes, room):\n    left = room - {held}\n    return {result}\n"
    return Mistake("largest_batch", name, code, loses, told)


def _arrays(name: str, formula: str, told: str) -> Mistake:
    code = f"def checkpoint_arrays(layers, segment):\n    return {formula}\n"
    return Mistake("checkpoint_arrays", name, code, ARRAYS, told)


def _pieces(
    name: str,
    told: str,
    loses: dict[str, float] = PIECES,
    *,
    share: str = "2 / y.size",
    starts: str = "range(0, len(x), size)",
    first: str = "pass",
    add: str = "total = total + share * a.T @ error",
    result: str = "np.array(held)",
) -> Mistake:
    code = (
        "def held_gradients(W, x, y, size):\n"
        "    total, held = np.zeros_like(W), []\n"
        f"    for start in {starts}:\n"
        f"        {first}\n"
        "        a, b = x[start:start + size], y[start:start + size]\n"
        "        error = a @ W - b\n"
        f"        share = {share}\n"
        f"        {add}\n"
        "        held.append(total)\n"
        f"    return {result}\n"
    )
    return Mistake("held_gradients", name, code, loses, told)


SAMPLE = "max(0, left // activation_bytes(sizes, 1, 4))"

MISTAKES = [
    _count("no biases", "You left out the biases", layer="n_in * n_out"),
    _count("one bias a layer", "You counted one bias for each layer", layer="n_in * n_out + 1"),
    _count("a bias for each input", "one bias for each input of a layer", layer="(n_out + 1) * n_in"),
    _count("last layer left out", "You left out the last layer", pairs="zip(sizes[:-1], sizes[1:-1])"),
    _state("no moments", "2 * itemsize * parameters / 2**30", "You forgot the optimizer"),
    _state("always Adam", "4 * itemsize * parameters / 2**30", "You always counted Adam's two moments"),
    _state("no gradients", "(1 + moments) * itemsize * parameters / 2**30", "You forgot the gradients"),
    _state("parameters alone", "itemsize * parameters / 2**30", "You counted the parameters alone"),
    _state("GB", "(2 + moments) * itemsize * parameters / 1e9", "These are gigabytes"),
    _state("bytes", "(2 + moments) * itemsize * parameters", "These are bytes"),
    _state("MiB", "(2 + moments) * itemsize * parameters / 2**20", "These are mebibytes"),
    _state("float32 always", "(2 + moments) * 4 * parameters / 2**30", "You always took 4 bytes"),
    _kept("no batch", "itemsize * sum(sizes)", "You left out the batch"),
    _kept("numbers", "batch * sum(sizes)", "You counted numbers"),
    _kept("no inputs", "itemsize * batch * sum(sizes[1:])", "You left out the inputs"),
    _kept("no last layer", "itemsize * batch * sum(sizes[:-1])", "You left out the last layer"),
    _kept(
        "hidden layers twice",
        "itemsize * batch * (sum(sizes) + sum(sizes[1:-1]))",
        "You counted the hidden layers twice",
    ),
    _kept("widest layer", "itemsize * batch * max(sizes)", "You counted the widest layer alone"),
    _kept(
        "weights for each sample",
        "itemsize * batch * sum(i * o for i, o in zip(sizes, sizes[1:]))",
        "You counted the weights",
    ),
    _fits(
        "no model", "You forgot the model", {"largest_batch_check": 3, "largest_batch_hidden": 3}, held="0"
    ),
    _fits("no moments", "You forgot Adam's two moments", held="8 * parameter_count(sizes)"),
    _fits("one moment", "You counted one of Adam's two moments", held="12 * parameter_count(sizes)"),
    _fits("rounded up", "You rounded up", result="max(0, -(-left // activation_bytes(sizes, 1, 4)))"),
    _fits("not rounded", "A batch is a whole number", result="max(0, left / activation_bytes(sizes, 1, 4))"),
    _fits("negative", "No batch is negative", NONE, result="left // activation_bytes(sizes, 1, 4)"),
    _fits("at least one", "A batch of 1 does not fit either", NONE, result=SAMPLE.replace("max(0", "max(1")),
    _arrays("rounded down", "layers // segment + segment", "You rounded down"),
    _arrays("always one more", "layers // segment + 1 + segment", "You added one segment always"),
    _arrays("inputs alone", "-(-layers // segment)", "what goes into the segments alone"),
    _arrays("segment alone", "segment", "You counted one segment alone"),
    _arrays("multiplied", "-(-layers // segment) * segment", "You multiplied"),
    _arrays("no checkpoints", "layers", "This is what is held without checkpoints"),
    _pieces("not divided", "You did not divide by the number of pieces", share="2 / b.size"),
    _pieces(
        "divided by the pieces",
        "You divided by the number of pieces",
        REST,
        share="2 / b.size / -(-len(x) // size)",
    ),
    _pieces("cleared inside", "You cleared the sum inside of the loop", first="total = np.zeros_like(W)"),
    _pieces(
        "rest left out",
        "You left out the smaller piece at the end",
        REST,
        starts="range(0, len(x) - size + 1, size)",
    ),
    _pieces("last sum alone", "You gave back the last sum alone", result="total"),
    _pieces("the same array", "The list holds the same array", add="total += share * a.T @ error"),
    _pieces("no factor 2", "You forgot the factor 2", share="1 / y.size"),
    _pieces("n_out forgotten", "You forgot to divide by n_out", share="2 / len(y)"),
    _pieces("whole batch", "You took the whole batch at once", starts="[0]", first="size = len(x)"),
]
