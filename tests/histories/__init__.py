"""What many processes did to one document at the same time, written down and then checked."""
