"""Finding documents: by key, by scanning, through a RediSearch index."""
