"""Reports and pictures, made from a folder's files or from an `Emotion`.

markdown.py       tables and pieces of text
plots.py          figures of reports
report.py         report.md of a run or an evaluation
model_card.py     model_card.md of a run
song_pictures.py  pictures of songs
picture_files.py  their files
"""
