"""What the many flags of run and create mean, as the API's JSON."""
