"""The app that the pages about Django REST framework speak of."""
