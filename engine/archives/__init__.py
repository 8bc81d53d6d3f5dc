"""Tar archives from strangers: reading, decompressing, unpacking below one directory, and writing.

Shared by image layers and by ``docker cp``. Nothing here believes an archive: every size has a cap and every path is
resolved by the kernel inside a root.
"""
