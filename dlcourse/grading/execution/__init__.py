"""Where learners' code is run and judged: a job goes in as bytes, an outcome comes out as bytes.

`jobs` says what goes in and out. `execute` is the pure function between the two, for this process, for worker processes
and for other machines. It starts a sandbox, holds the dialog of `session` with what runs `inside`, and judges the
values that come back through the strict decoder of `codec`. The learner's code never runs in the process of `execute`.
"""
