"""What is typed: verbs and their options, targets, values, quoting, help."""
