"""The steps that bring the schema to where the program needs it; immutable once released."""
