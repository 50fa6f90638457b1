"""vidgen_lite: the course's library for video generation with GANs and VAEs.

One module a lecture (``gan_objective``, ``scene_dynamics``, ...) and the rooms they share
(``data``, ``training``, ``metrics``, ``show``). Import what you need, for example
``from vidgen_lite import scene_dynamics``: the package itself imports nothing heavy.
"""

__version__ = "0.1.0"
