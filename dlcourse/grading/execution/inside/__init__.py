"""What runs in the sandbox. It knows no right answer: cells and inputs come in, outputs and values go out.

`zygote` is started once and imports what is slow. For each submission it forks a `supervisor`, which is the first
process of its namespaces and watches the time. The supervisor forks a `runner`, in which the learner's cells run; for
each check the runner forks once more, so that a check that goes wrong leaves the others alone.
"""
