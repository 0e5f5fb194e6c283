"""What `manage.py runserver` is made of: the application, a server around it, its log, and what restarts it."""
