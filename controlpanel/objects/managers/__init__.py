"""Look-ups by whatever a user typed, with Docker's answers when nothing or too much is found."""
