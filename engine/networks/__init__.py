"""Container networks: address pools, bridges, endpoints, published ports and the files that name hosts.

IPv4 only. An IPv6 host address in a port mapping is refused with ``Unsupported``; containers get no IPv6 address.
"""
