"""What completion and the quick way know of models and keys without loading them."""
