"""Reading documents for people: one, a part of one, many."""
