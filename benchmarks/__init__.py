"""Speed, measured side by side: `make bench`, `make bench-quick`. docs/PERFORMANCE.md says how."""
