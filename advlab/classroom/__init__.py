"""A class on one server: students with spaces of their own, a fair queue, polls, challenges, exports.

room = Classroom(folder)            # the class's home; its state is one SQLite file
student, token = room.join(room.code, "Anna")
room.space_of(student.id)           # her data folder, with limits
held("02-noise", 3)                 # whether the teacher holds this step back
"""

from __future__ import annotations

from advlab.classroom.room import Classroom, Student, held, may_read_notes

__all__ = ["Classroom", "Student", "held", "may_read_notes"]
