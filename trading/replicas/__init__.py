"""The replica manager: cluster view, search for the leader, election, failover and the health loop's work."""
