# To be filled in.
