"""Prediction on recordings. Only the backends of runs and SavedModels import TensorFlow.

windows.py      where windows start; a stream of blocks to windows
calibration.py  intervals, prediction sets, unfamiliarity
description.py  a model's task and waveform: `adff.json`
backends/       a run, a SavedModel or LiteRT computes the outputs
hub.py          `hf://USER/NAME` to a file
model.py        `EmotionModel`: a source to an `Emotion`
emotion.py      `Emotion`: values of the song, and the curve
formats.py      table, JSON, CSV
"""
