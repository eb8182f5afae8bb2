"""One connection with its models: resolving targets, plans, safety rules, the journal."""
