"""A class on one server: who is in the room, what each may do, what the teacher asks."""
