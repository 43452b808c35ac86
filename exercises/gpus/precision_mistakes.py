"""Classic mistakes of the exercise ``gpus/precision``, each with what its author must be told.

Each costs the points of its own task only: where a later task calls an earlier one, the reference stands in for it.
"""

from dlcourse.checks import Mistake


def _both(task: str, visible: float, hidden: float) -> dict[str, float]:
    return {f"{task}_check": visible, f"{task}_hidden": hidden}


ONE = {task: _both(task, 1, 1) for task in ("decode", "grain", "round_to", "mixed_step")}
TWO = {
    task: _both(task, 2, 2)
    for task in ("grain", "kahan_sum", "next_scale", "mixed_step", "round_to", "decode")
}
THREE = {task: _both(task, 3, 3) for task in ("decode", "round_to")}


def _decode(
    name: str,
    told: str,
    loses: dict[str, float],
    *,
    s: str = "bits >> (E + F)",
    e: str = "(bits >> F) & (2**E - 1)",
    f: str = "bits & (2**F - 1)",
    bias: str = "2 ** (E - 1) - 1",
    normal: str = "(1 + f / 2**F) * 2.0 ** (e - bias)",
    small: str = "f / 2**F * 2.0 ** (1 - bias)",
    special: str = "np.where(f == 0, np.inf, np.nan)",
    result: str = "(-1.0) ** s * x",
) -> Mistake:
    code = (
        "def decode(bits, E, F):\n"
        f"    s = {s}\n"
        f"    e = {e}\n"
        f"    f = {f}\n"
        f"    bias = {bias}\n"
        f"    x = np.where(e == 0, {small}, {normal})\n"
        f"    x = np.where((bits >> F) & (2**E - 1) == 2**E - 1, {special}, x)\n"
        f"    return {result}\n"
    )
    return Mistake("decode", name, code, loses, told)


def _grain(
    name: str,
    told: str,
    loses: dict[str, float] = TWO["grain"],
    *,
    size: str = "np.maximum(np.abs(x), 2.0 ** (2 - 2 ** (E - 1)))",
    result: str = "2.0 ** (np.floor(np.log2(size)) - F)",
) -> Mistake:
    code = f"def grain(x, E, F):\n    size = {size}\n    return {result}\n"
    return Mistake("grain", name, code, loses, told)


def _round(
    name: str,
    told: str,
    loses: dict[str, float],
    *,
    near: str = "np.rint(x / q) * q",
    beyond: str = "np.abs(y) > top",
    instead: str = "np.copysign(np.inf, y)",
) -> Mistake:
    code = (
        "def round_to(x, E, F):\n"
        "    q = grain(x, E, F)\n"
        f"    y = {near}\n"
        "    top = (2 - 2.0**-F) * 2.0 ** (2 ** (E - 1) - 1)\n"
        f"    return np.where({beyond}, {instead}, y)\n"
    )
    return Mistake("round_to", name, code, loses, told)


def _kahan(
    name: str,
    told: str,
    *,
    term: str = "r(x_k)",
    y: str = "x_k - c",
    rest: str = "        c = r(r(t - s) - y)\n        s = t\n",
    result: str = "s",
) -> Mistake:
    code = (
        "def kahan_sum(x, E, F):\n"
        "    def r(value):\n"
        "        return round_to(value, E, F)\n"
        "    s = c = 0.0\n"
        "    for x_k in x:\n"
        f"        x_k = {term}\n"
        f"        y = r({y})\n"
        "        t = r(s + y)\n"
        f"{rest}"
        f"    return {result}\n"
    )
    return Mistake("kahan_sum", name, code, TWO["kahan_sum"], told)


def _scale(
    name: str,
    told: str,
    *,
    bad: str = "scale / 2, 0",
    usual: str = "scale, good + 1",
    doubled: str = "scale * 2, 0",
    full: str = "good + 1 == interval",
) -> Mistake:
    code = (
        "def next_scale(scale, good, finite, interval):\n"
        "    if not finite:\n"
        f"        return {bad}\n"
        f"    if {full}:\n"
        f"        return {doubled}\n"
        f"    return {usual}\n"
    )
    return Mistake("next_scale", name, code, TWO["next_scale"], told)


def _step(
    name: str,
    told: str,
    loses: dict[str, float],
    *,
    finite: str = "np.isfinite(gradient).all()",
    g: str = "gradient.astype(np.float32) / scale",
    new: str = "w - rate * g",
    left_out: str = "return w, *next_scale(scale, good, False, interval)",
    result: str = "new, *next_scale(scale, good, True, interval)",
) -> Mistake:
    code = (
        "def mixed_step(w, gradient, rate, scale, good, interval):\n"
        f"    if not {finite}:\n"
        f"        {left_out}\n"
        f"    g = {g}\n"
        f"    new = {new}\n"
        f"    return {result}\n"
    )
    return Mistake("mixed_step", name, code, loses, told)


BAD = ONE["mixed_step"]

MISTAKES = [
    _decode("no sign", "You left out the sign", THREE["decode"], result="x"),
    _decode(
        "no leading 1",
        "You left out the 1 before the fraction",
        ONE["decode"],
        normal="f / 2**F * 2.0 ** (e - bias)",
    ),
    _decode("bias one too large", "Your bias is one too large", TWO["decode"], bias="2 ** (E - 1)"),
    _decode(
        "fraction by 2^E",
        "You divided the fraction by 2^E",
        ONE["decode"],
        normal="(1 + f / 2**E) * 2.0 ** (e - bias)",
    ),
    _decode(
        "sign in the exponent", "The bit of the sign is still in the exponent", TWO["decode"], e="bits >> F"
    ),
    _decode(
        "zero as all others",
        "You read exponent 0 as all others",
        ONE["decode"],
        small="(1 + f / 2**F) * 2.0 ** (e - bias)",
    ),
    _decode(
        "subnormal with a 1",
        "You added the 1 to subnormal numbers too",
        ONE["decode"],
        small="(1 + f / 2**F) * 2.0 ** (1 - bias)",
    ),
    _decode(
        "subnormal halved",
        "Your subnormal numbers are half as large",
        ONE["decode"],
        small="f / 2**F * 2.0 ** (0 - bias)",
    ),
    _decode(
        "no infinity",
        "You read the largest exponent as all others",
        ONE["decode"],
        special="(1 + f / 2**F) * 2.0 ** (e - bias)",
    ),
    _decode("no NaN", "With the largest exponent you always gave infinity", ONE["decode"], special="np.inf"),
    _grain("at 1", "This is the grain at 1", result="2.0 ** (0 * size - F)"),
    _grain(
        "not rounded down", "You did not round the exponent down", ONE["grain"], result="size * 2.0 ** -F"
    ),
    _grain("twice", "All is twice too large", result="2.0 ** (np.floor(np.log2(size)) + 1 - F)"),
    _grain("half", "This is half of the grain", result="2.0 ** (np.floor(np.log2(size)) - F - 1)"),
    _grain("E for F", "You subtracted E", result="2.0 ** (np.floor(np.log2(size)) - E)"),
    _grain("no maximum", "You forgot the maximum", ONE["grain"], size="np.abs(x)"),
    _grain(
        "limit half as large",
        "Your limit is 2^(-bias)",
        ONE["grain"],
        size="np.maximum(np.abs(x), 2.0 ** (1 - 2 ** (E - 1)))",
    ),
    _round("cut off", "You cut off what does not fit", THREE["round_to"], near="np.trunc(x / q) * q"),
    _round(
        "half up", "From the middle you always rounded up", ONE["round_to"], near="np.floor(x / q + 0.5) * q"
    ),
    _round(
        "half away from 0", "away from 0", ONE["round_to"], near="np.trunc(x / q + np.copysign(0.5, x)) * q"
    ),
    _round(
        "at 1",
        "You rounded to multiples of the grain at 1",
        THREE["round_to"],
        near="np.rint(x * 2.0**F) / 2.0**F",
    ),
    _round("in grains", "You counted in grains", THREE["round_to"], near="np.rint(x / q)"),
    _round("no infinity", "You left out the largest number", ONE["round_to"], beyond="False"),
    _round("clipped", "You kept the largest number", ONE["round_to"], instead="np.copysign(top, y)"),
    _round("before rounding", "You compared before rounding", ONE["round_to"], beyond="np.abs(x) > top"),
    _round("sign of infinity", "You lost the sign of infinity", ONE["round_to"], instead="np.inf"),
    _kahan("one after the other", "You added one after the other", rest="        s = t\n"),
    _kahan("c added", "You added c", y="x_k + c"),
    _kahan("s first", "You set s = t before", rest="        s = t\n        c = r(r(t - s) - y)\n"),
    _kahan("no y", "You left y out of c", rest="        c = r(t - s)\n        s = t\n"),
    _kahan(
        "float64", "You added in float64, and rounded once", term="r(x_k)", result="r(sum(round_to(x, E, F)))"
    ),
    _scale(
        "exchanged",
        "You exchanged the two",
        bad="(scale * 2, 0) if good + 1 == interval else (scale, good + 1)",
        usual="scale / 2, 0",
        doubled="scale / 2, 0",
    ),
    _scale("count kept after an overflow", "you kept it", bad="scale / 2, good"),
    _scale("never doubled", "one step too late, or never", full="False"),
    _scale("one step late", "one step too late", full="good == interval"),
    _scale(
        "count kept after doubling", "After doubling the count begins again", doubled="scale * 2, good + 1"
    ),
    _scale("doubled each time", "You doubled the scale after each good step", full="True"),
    _step(
        "not divided", "You did not divide by the scale", TWO["mixed_step"], g="gradient.astype(np.float32)"
    ),
    _step(
        "divided in float16",
        "You divided in float16",
        TWO["mixed_step"],
        g="(gradient / np.float16(scale)).astype(np.float32)",
    ),
    _step(
        "weights in float16",
        "Your weights are in float16",
        TWO["mixed_step"],
        new="(w - rate * g).astype(np.float16)",
    ),
    _step(
        "next scale",
        "You divided by the next scale",
        TWO["mixed_step"],
        g="gradient.astype(np.float32) / next_scale(scale, good, True, interval)[0]",
    ),
    _step("NaN only", "You looked for NaN only", BAD, finite="(not np.isnan(gradient).any())"),
    _step(
        "entries left out",
        "You left out the bad entries only",
        BAD,
        left_out="gradient = np.where(np.isfinite(gradient), gradient, 0)",
        result="new, *next_scale(scale, good, bool(gradient.all()), interval)",
    ),
    _step("scale kept", "You kept the scale", BAD, left_out="return w, scale, good"),
    _step(
        "counted as good",
        "You counted this step as a good one",
        BAD,
        left_out="return w, *next_scale(scale, good, True, interval)",
    ),
]
