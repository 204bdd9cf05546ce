"""Registration: find how two cameras see one scene, and bring one image to the other.

Two images are compared by the orientation of their edges (`channels.py`). `search.py` finds places, `refinement.py`
makes them exact, `support.py` says how far they can be trusted, `automatic.py` does all three, and `rig.py` does it for
many pairs. `points.py` takes points instead. The result is a `calibration.py`, by which `alignment.py` warps.
"""
