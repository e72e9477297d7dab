"""Pre-training: ADFF learns a music tagger's features on recordings without labels."""
