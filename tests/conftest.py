"""How properties are drawn: the same examples every day, others on request.

A test that fails on one machine in twenty tells nothing about the commit that it judges. Run
`pytest --hypothesis-profile=explore` to look for new examples.
"""

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile("same")
