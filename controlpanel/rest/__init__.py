"""What all HTTP views share: a class with its guard; versions, parameters, bodies and filters by Docker's rules."""
