"""What a user does with data and models: fit, open a run, and all that a run can do."""
