"""An encoder of the Hub that learned a criterion: tokens, training with checkpoints, ONNX.

It may import what scoring may, and no other way of scoring.
Begin with model.py, which scores; fitting.py trains.
"""
