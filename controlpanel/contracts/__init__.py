"""What may be asked of a worker: one module per object, one typed declaration per operation.

The web process imports these and nothing of what carries them out. Objects travel as whole IDs or row keys, found and
authorised through the scope; a worker reads their rows anew. Declarations have no body.
"""
