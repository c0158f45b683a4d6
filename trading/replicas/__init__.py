"""The replica manager: cluster view, election, failover, health loop, and the operator's command `replicas`."""
