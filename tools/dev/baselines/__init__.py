"""Other methods that find 68 landmarks, to compare with.

* ``baseline``: what each of them has to do, and its box;
* ``dlib_68``, ``face_mesh``, ``mesh_keypoints``: dlib and MediaPipe;
* ``predictions``: one of them over a converted data set.

Only this package and ``data_converters`` are needed, in an environment of
their own (``requirements/baselines.txt``).
"""
