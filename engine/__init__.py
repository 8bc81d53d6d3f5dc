"""The Muelle engine: containers, images, networks and volumes on Linux. Plain Python, no Django, usable alone."""
