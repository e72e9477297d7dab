"""Helpers that know no music.

console.py      lines, bars and errors of programs
commandline.py  command lines with every setting of an experiment
files.py        atomic writes, checks of paths, full disks
folders.py      folders of resumable work
locks.py        one process at a time in a folder
environment.py  versions, machine and command
"""
