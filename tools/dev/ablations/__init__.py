"""What tools/dev/ablation.py is made of.

* ``paper``: the paper's tables and claims, and which config is which row;
* ``runs``: which trainings the rows need, each once, as jobs;
* ``tables``: metrics of the runs in the paper's form, and verdicts;
* ``figure9``: the curves of Figure 9.
"""
