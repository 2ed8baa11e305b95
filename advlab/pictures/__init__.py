"""Records as figures, tables and sentences; no torch, no streamlit."""
