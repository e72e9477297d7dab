"""Where the music for pre-training comes from, one source a file.

table.py      OUT/sources.csv: every file with its source, licence, length and hash
debian.py     recordings in Debian's packages, by the packages' names (packages.txt)
midi.py       a MIDI file to another of other tempo, key, instruments and accompaniment
rendering.py  MIDI files to FLAC by FluidSynth and sound fonts
composer.py   adff-tf's own composer
"""
