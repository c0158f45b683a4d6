"""What only shows orders. Nothing here can lose or double one."""
