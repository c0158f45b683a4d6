"""GET / in a browser: one page that trades and shows what happens. Its panels are fragments of HTML."""
