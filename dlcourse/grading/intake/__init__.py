"""Any bytes become the released notebook with the learner's answers, and flags for what is odd; nothing is executed."""
