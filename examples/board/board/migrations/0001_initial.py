from __future__ import annotations

import django.core.validators
from django.db import migrations, models

import board.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Document",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "text",
                    models.TextField(
                        default="A document that everybody may edit.\n\nOpen it in two windows and write in both.\n"
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
            ],
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "key",
                    models.CharField(
                        max_length=10,
                        unique=True,
                        validators=[django.core.validators.RegexValidator("\\A[a-z0-9]{10}\\Z")],
                    ),
                ),
                ("name", models.CharField(max_length=20)),
                ("text", models.CharField(max_length=500)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="Note",
            fields=[
                (
                    "id",
                    models.CharField(
                        max_length=10,
                        primary_key=True,
                        serialize=False,
                        validators=[django.core.validators.RegexValidator("\\A[a-z0-9]{10}\\Z")],
                    ),
                ),
                ("version", models.PositiveIntegerField(unique=True)),
                ("text", models.CharField(blank=True, max_length=120)),
                (
                    "color",
                    models.CharField(
                        choices=[("sun", "sun"), ("rose", "rose"), ("sky", "sky"), ("leaf", "leaf"), ("plum", "plum")],
                        default="sun",
                        max_length=4,
                    ),
                ),
                ("x", models.FloatField(default=0.5, validators=[board.models.check_share])),
                ("y", models.FloatField(default=0.5, validators=[board.models.check_share])),
                ("by", models.CharField(blank=True, max_length=20)),
                ("gone", models.BooleanField(default=False)),
            ],
            options={
                "ordering": ["version"],
            },
        ),
        migrations.CreateModel(
            name="Visitor",
            fields=[
                (
                    "window",
                    models.CharField(
                        max_length=10,
                        primary_key=True,
                        serialize=False,
                        validators=[django.core.validators.RegexValidator("\\A[a-z0-9]{10}\\Z")],
                    ),
                ),
                ("connection", models.CharField(max_length=200)),
                ("name", models.CharField(max_length=20)),
                ("seen", models.DateTimeField()),
            ],
        ),
    ]
