"""How this process reaches other hosts: through the company's proxy or directly, and which certificates it trusts."""
