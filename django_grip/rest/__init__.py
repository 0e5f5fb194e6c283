"""Django REST framework integration."""
