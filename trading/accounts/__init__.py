"""Who calls, and what they may do, when authentication is on (BOURSE_AUTH): accounts, their roles and their tokens.

With it off, nothing here touches Django's database.
"""
