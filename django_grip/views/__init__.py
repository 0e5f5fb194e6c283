"""Class-based views for realtime endpoints."""
