"""The floor: the same messages and syncs between as many processes as Bourse has, and nothing else.

No stock is looked up, no row is checked or indexed, no failure is handled. What Bourse could reach with unary
gRPC calls if its own code cost nothing.
"""
