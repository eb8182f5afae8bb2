"""rapyer without ``await``."""
