"""The terminal client: the docker command's names, flags, output and exit codes, over HTTP and nothing else."""
