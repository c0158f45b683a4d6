"""How the system is installed, run and supervised on one machine."""
