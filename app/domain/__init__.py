"""Words and rules, pure: everything here runs with the network cable cut."""
