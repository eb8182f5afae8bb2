"""Which model owns a key, and how keys and their texts are read in bulk."""
