"""The OpenAPI document of the REST interface: what docs/API.md says, for programs."""
