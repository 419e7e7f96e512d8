"""The one external evaluation, and several evaluate sites as one."""
