"""What annotations say: the one walker of Pydantic's core schemas, the stored form, what is refused, wording."""
