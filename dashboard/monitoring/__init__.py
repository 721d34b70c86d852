"""What machines ask about the product: readiness and Prometheus metrics."""
