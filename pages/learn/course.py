"""The course: every lesson, and how far one is."""

from __future__ import annotations

from advlab.ui.learn.course import course_page

course_page()
