"""What the check of answers is made of: markers, statements, quantities, names and polarity. Pure functions of text."""
