"""A step's life, from the job in hand to the settlement handed over."""
