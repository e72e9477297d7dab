"""Training and scoring.

splits.py       folds, published splits, and the inner split of early stopping
optimizer.py    Adam with L2, learning-rate schedules, losses
fit.py          one fit, with its checkpoints, and its predictions
metrics.py      R², RMSE, signs, accuracy
start.py        a trained model to start from
stem_models.py  EmoMucs's source models, each trained alone first
familiarity.py  the output `distance` of a trained network
effects.py      the output `effects` of a network with mid-level features
linear.py       a last layer that is solved for, on MusiCNN's embedding
calibration.py  calibration.json of a run
artifact.py     model.tflite of a run
baselines.py    the mean, and ridge or logistic regression
predictions.py  prediction files, by song and by segment
summary.py      scores over folds, for metrics.json
run.py          a run: folds, baselines, final model
evaluation.py   a trained model scored on a data set
"""
