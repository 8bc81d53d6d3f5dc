"""Images: their names, the archives they travel in, and the store of their configurations and layers."""
