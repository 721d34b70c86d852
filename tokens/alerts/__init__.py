"""What people are told, once: creating alerts and delivering them."""
