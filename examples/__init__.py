"""How to use Bourse from outside: a client, a workload with plots, a capacity test. Nothing here imports the system."""
