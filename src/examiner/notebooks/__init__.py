"""What the marking tools of this workshop's notebooks share. No floor of the examiner knows of it, nor needs it."""
