"""The edge: all requests come here first, in one event loop. What programs ask for all day is answered here, too."""
