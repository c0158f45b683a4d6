"""The only part of the frontend that knows gRPC."""
