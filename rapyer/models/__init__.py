"""Models as parts of documents and as documents: fields, storage, locks."""
