"""The teacher's page of a class; its menu shows it to nobody else."""

from __future__ import annotations

from advlab.ui.classroom.teacher import teacher_page

teacher_page()
