"""The command `workshop`: reads options, calls the floors below, prints."""
