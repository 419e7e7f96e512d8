"""Who takes part: the authority, the register of sites, and its signature."""
