"""The stored form: every kind of annotation, what is refused, subclasses, constraints."""
