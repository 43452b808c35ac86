"""Classic mistakes of the exercise ``gpus/parallelism``, each with what its author must be told.

Each costs the points of its own task only: where a later task calls an earlier one, the reference stands in for it.
"""

from dlcourse.checks import Mistake

FLOPS = {"linear_flops_check": 1, "linear_flops_hidden": 1}
TRAINING = {"training_flops_check": 2, "training_flops_hidden": 2}
AMDAHL = {"amdahl_check": 1, "amdahl_hidden": 2}
BYTES = {"linear_bytes_check": 1, "linear_bytes_hidden": 1}
ROOF = {"roofline_check": 2, "roofline_hidden": 2}
BATCH = {"smallest_batch_check": 1, "smallest_batch_hidden": 2}
NARROW = {"smallest_batch_check": 1, "smallest_batch_hidden": 1}
BOTH = {"smallest_batch_check": 2, "smallest_batch_hidden": 3}


def _flops(name: str, formula: str, told: str) -> Mistake:
    code = f"def linear_flops(batch, n_in, n_out):\n    return {formula}\n"
    return Mistake("linear_flops", name, code, FLOPS, told)


def _training(name: str, told: str, *, result: str, pairs: str = "zip(sizes, sizes[1:])") -> Mistake:
    code = (
        "def training_flops(sizes, batch):\n"
        f"    products = [linear_flops(batch, n_in, n_out) for n_in, n_out in {pairs}]\n"
        f"    return {result}\n"
    )
    return Mistake("training_flops", name, code, TRAINING, told)


def _amdahl(name: str, formula: str, told: str) -> Mistake:
    code = f"def amdahl(parallel, cores):\n    return {formula}\n"
    return Mistake("amdahl", name, code, AMDAHL, told)


def _bytes(name: str, formula: str, told: str) -> Mistake:
    code = f"def linear_bytes(batch, n_in, n_out, itemsize):\n    return {formula}\n"
    return Mistake("linear_bytes", name, code, BYTES, told)


def _roof(name: str, formula: str, told: str) -> Mistake:
    code = f"def roofline(intensity, peak, bandwidth):\n    return {formula}\n"
    return Mistake("roofline", name, code, ROOF, told)


def _batch(
    name: str,
    told: str,
    loses: dict[str, float] = BATCH,
    *,
    ridge: str = "peak / bandwidth * itemsize",
    result: str = "np.ceil(r * n / (2 * (n - r)))",
    narrow: str = "n <= r",
) -> Mistake:
    code = (
        "def smallest_batch(n, peak, bandwidth, itemsize):\n"
        f"    r = {ridge}\n"
        f"    if {narrow}:\n"
        "        return np.inf\n"
        f"    return {result}\n"
    )
    return Mistake("smallest_batch", name, code, loses, told)


MISTAKES = [
    _flops("no factor 2", "batch * n_in * n_out", "You forgot the factor 2"),
    _flops("one sample", "2 * n_in * n_out", "You left out the batch"),
    _flops("with the bias", "2 * batch * n_in * n_out + batch * n_out", "the additions of the bias too"),
    _flops("one addition fewer", "batch * n_out * (2 * n_in - 1)", "You counted n_in - 1 additions"),
    _flops("parameters", "n_in * n_out + n_out", "You counted the parameters of the layer"),
    _flops("sizes added", "2 * (batch + n_in + n_out)", "You added the sizes"),
    _training("forward only", "You counted the way forward only", result="sum(products)"),
    _training("back once", "You counted one product for the way back", result="2 * sum(products)"),
    _training("gradient of the data", "the gradient of the data too", result="3 * sum(products)"),
    _training("back only", "You counted the way back only", result="2 * sum(products) - products[0]"),
    _training(
        "first weights without gradient",
        "You left out both products of the first layer",
        result="3 * sum(products) - 2 * products[0]",
    ),
    _training(
        "last layer left out",
        "You left out the last layer",
        pairs="zip(sizes[:-1], sizes[1:-1])",
        result="3 * sum(products) - products[0]",
    ),
    _amdahl("parts exchanged", "1 / (parallel + (1 - parallel) / cores)", "You exchanged the two parts"),
    _amdahl("multiplied", "1 / (1 - parallel + parallel * cores)", "You multiplied by the cores"),
    _amdahl("time", "1 - parallel + parallel / cores", "the share of the time that is left"),
    _amdahl("limit", "1 / (1 - parallel) + 0 * cores", "the limit for endlessly many cores"),
    _amdahl("all shared", "1.0 * cores", "You shared all of the work"),
    _amdahl("Gustafson", "1 - parallel + parallel * cores", "This is Gustafson's law"),
    _bytes("numbers", "batch * n_in + n_in * n_out + batch * n_out", "You counted numbers"),
    _bytes("bits", "8 * itemsize * (batch * n_in + n_in * n_out + batch * n_out)", "You counted bits"),
    _bytes("no result", "itemsize * (batch * n_in + n_in * n_out)", "You left out the result"),
    _bytes("no weights", "itemsize * (batch * n_in + batch * n_out)", "You left out the weights"),
    _bytes(
        "weights for each sample",
        "itemsize * batch * (n_in + n_in * n_out + n_out)",
        "You read the weights once for each sample",
    ),
    _roof("larger one", "np.maximum(peak, intensity * bandwidth)", "You took the larger one"),
    _roof("no peak", "intensity * bandwidth", "You left out the peak"),
    _roof("no memory", "peak + 0 * intensity", "You left out the memory"),
    _roof("divided", "np.minimum(peak, intensity / bandwidth)", "You divided by the bandwidth"),
    _roof("sum", "peak + intensity * bandwidth", "You added the limits"),
    _roof("one number", "min(peak, (intensity * bandwidth).min())", "You took one number for all"),
    _batch("rounded down", "You rounded down", result="int(r * n / (2 * (n - r)))"),
    _batch("not rounded", "A batch is a whole number", result="r * n / (2 * (n - r))"),
    _batch("bytes as numbers", "You left out itemsize", BOTH, ridge="peak / bandwidth", narrow="n <= 0"),
    _batch("weights alone", "You left out the inputs and the results", result="np.ceil(r / 2)"),
    _batch("never inf", "No batch is negative", NARROW, narrow="False"),
]
