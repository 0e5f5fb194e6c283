"""What is changed, and who is told when it is committed."""
