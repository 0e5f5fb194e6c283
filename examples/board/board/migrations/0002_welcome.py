"""The first notes on an empty board."""

from __future__ import annotations

from django.db import migrations

NOTES = [
    ("Drag me about", "sun", 0.06, 0.1),
    ("Tap me and write", "sky", 0.3, 0.5),
    ("Open a second window, and look at both", "rose", 0.92, 0.16),
    ("Then restart the server", "leaf", 0.72, 0.86),
]


def put_up(apps, schema_editor):
    Note = apps.get_model("board", "Note")
    for version, (text, color, x, y) in enumerate(NOTES, 1):
        Note.objects.create(pk=f"welcome{version:03}", version=version, text=text, color=color, x=x, y=y)


class Migration(migrations.Migration):
    dependencies = [("board", "0001_initial")]
    operations = [migrations.RunPython(put_up, migrations.RunPython.noop)]
