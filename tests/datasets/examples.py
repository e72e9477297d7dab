"""An example of every data set, a tiny folder with empty audio files: loaders do not decode."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from adff_tf import datasets
from adff_tf.datasets import (
    csv_file,
    deam,
    emomusic,
    merge,
    panda4q,
    pmemo,
    quadrants,
    synthetic,
)
from adff_tf.errors import InputError

PMEMO_LABELS = "annotations/static_annotations.csv"
DEAM_LABELS = (
    "DEAM_Annotations/annotations/annotations averaged per song/song_level/"
    "static_annotations_averaged_songs_"
)


def fill(root: Path, files: dict[str, str]) -> Path:
    """Write the files, name to text, into the folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    return root


def make_pmemo(root: Path) -> Path:
    return fill(
        root,
        {
            "metadata.csv": "musicId,fileName,title,artist\n"
            '10,10.mp3,"A, B","Tyler, The Creator"\n2,2.mp3,X,21 Savage\n'
            "3,3.mp3,Y,21 Savage\n4,4.mp3,Z,\n21,21.mp3,W,Future\n5,5.mp3,V,Future\n",
            PMEMO_LABELS: "musicId,Arousal(mean),Valence(mean)\r\n"
            "10,1,0\r\n2,0.4,0.575\r\n3,0.5,0.5\r\n4,0.25,0.75\r\n",
            "chorus/10.FLAC": "",
            "chorus/2.mp3": "",
            "chorus/4.mp3": "",
            "chorus/3.txt": "",
            "chorus/._3.mp3": "",
            "chorus/5.mp3": "",
            "chorus/99.mp3": "",
        },
    )


def make_deam(root: Path) -> Path:
    return fill(
        root,
        {
            DEAM_LABELS
            + "1_2000.csv": "song_id, valence_mean, valence_std, arousal_mean, arousal_std\r\n"
            "1001,9,0.5,5,0.6\r\n1000,9,0.5,1,0.6\r\n2,3.1,0.94,3,0.63\r\n",
            DEAM_LABELS + "2000_2058.csv": "song_id, valence_mean, valence_std, valence_ max_mean, "
            "arousal_mean, arousal_std\r\n"
            "2001,3.0,0.98,5.0,7.0,0.8\r\n",
            "DEAM_audio/MEMD_audio/2.mp3": "",
            "DEAM_audio/MEMD_audio/1000.mp3": "",
            "DEAM_audio/MEMD_audio/1001.mp3": "",
            "DEAM_audio/MEMD_audio/2001.mp3": "",
        },
    )


def make_emomusic(root: Path) -> Path:
    return fill(
        root,
        {
            "static_annotations.csv": "song_id,mean_arousal,std_arousal,mean_valence,std_valence\n"
            "12,9,1,1,1\n3,3.5,1.8409,3.3,1.7029\n7,5,1,6,1\n",
            "songs_info.csv": '"song_id","file_name","Artist","Song title"\n'
            '3,"\t3.mp3","Kevin MacLeod\t","\tDD Groove\t"\n'
            '12,"\t12.mp3","Kevin MacLeod","\tSlow Burn\t"\n7,"\t7.mp3","\t","\tNothing\t"\n',
            "clips_45seconds/3.mp3": "",
            "clips_45seconds/12.mp3": "",
            "clips_45seconds/7.mp3": "",
        },
    )


def make_emopia(root: Path) -> Path:
    return fill(
        root,
        {
            "label.csv": "ID,4Q,annotator\nQ2_5N_W0_10,2,D\nQ2_5N_W0_9,2,D\n"
            "Q3_5N_W0_1,3,C\nQ1__ab_0,1,C\nQ4_x_0,4,C\n",
            "audio/Q2_5N_W0_10.wav": "",
            "audio/Q2_5N_W0_9.ogg": "",
            "audio/Q3_5N_W0_1.wav": "",
            "Q1__ab_0.opus": "",
            "split/train_clip.csv": ",clip_name\n0,Q2_5N_W0_10.mid\n1,Q2_5N_W0_9.mid\n",
            "split/val_clip.csv": ",clip_name\n0,Q1__ab_0.mid\n",
            "split/test_clip.csv": ",clip_name\n0,Q4_x_0.mid\n",
        },
    )


def make_merge(root: Path) -> Path:
    """The audio set: A2 has no artist, MT1 a quadrant that its numbers do not have."""
    split = "tvt_dataframes/tvt_70_15_15/tvt_70_15_15_{}_audio_complete.csv".format
    return fill(
        root,
        {
            "merge_audio_complete_metadata.csv": "Song,Quadrant,AllMusic Id,Artist,Title\n"
            'A2,Q1,MT9,,X\nMT1,Q3,,"Earth, Wind & Fire",Y\nMT10,Q4,,Moby,Z\n',
            "merge_audio_complete_av_values.csv": "Song,Arousal,Valence\n"
            "A2,0.75,1\nMT1,0.5,0.25\nMT10,0,0.5\n",
            split("train"): "Song,Quadrant\nA2,Q1\n",
            split("validate"): "Song,Quadrant\nMT1,Q3\n",
            split("test"): "Song,Quadrant\nMT10,Q4\n",
            "Q1/A2.mp3": "",
            "Q3/MT1.mp3": "",
            "Q4/MT10.mp3": "",
        },
    )


def make_merge_bimodal(root: Path) -> Path:
    """The bimodal set, whose split files list ids of lyrics."""
    split = "tvt_dataframes/tvt_70_15_15/tvt_70_15_15_{}_bimodal_balanced.csv".format
    return fill(
        root,
        {
            "merge_bimodal_balanced_metadata.csv": "Audio_Song,Lyric_Song,Quadrant,Artist\n"
            "A2,L5,Q1,Moby\nMT1,MT7,Q2,Moby\n",
            "merge_bimodal_balanced_av_values.csv": "Audio_Song,Lyric_Song,Arousal,Valence\n"
            "A2,L5,0.75,1\nMT1,MT7,0.5,0.25\n",
            split("train"): "Song,Quadrant\nL5,Q1\n",
            split("validate"): "Song,Quadrant\nL8,Q1\n",
            split("test"): "Song,Quadrant\nMT7,Q2\n",
            "audio/Q1/A2.mp3": "",
            "audio/Q2/MT1.mp3": "",
            "lyrics/Q1/L5.txt": "",
        },
    )


def make_panda4q(root: Path) -> Path:
    """The authors' archive."""
    return fill(
        root,
        {
            "panda_dataset_taffc_metadata.csv": '"Song","Artist","Title","Quadrant","PQuad"\n'
            '"MT2","The ""5"" Royales","A, B","Q4",0.66\n"MT10","Moby","C","Q1",1\n'
            '"MT3","","D","Q2",1\n"MT4","Moby","E","Q3",1\n',
            "Q4/MT2.mp3": "",
            "Q1/MT10.mp3": "",
            "Q2/MT3.mp3": "",
        },
    )


def make_panda4q_songs(root: Path) -> Path:
    return fill(
        root,
        {
            "songs.csv": "song,quadrant,artist,pquad,fold\n"
            "MT2,Q4,Moby,1,1\nMT10,Q1,,1,2\nMT3,Q2,Moby,1,3\nMT4,Q3,X,1,4\n",
            "audio/MT2.opus": "",
            "audio/MT10.opus": "",
            "audio/MT3.opus": "",
            "audio/MT4.opus": "",
        },
    )


def make_folders(root: Path) -> Path:
    return fill(
        root,
        {
            "Q1/b.wav": "",
            "Q2/a.mp3": "",
            "Q3/c10.m4a": "",
            "Q3/c9.aac": "",
            "Q4/d.ogg": "",
            "Q4/cover.jpg": "",
        },
    )


def make_manifest(root: Path) -> Path:
    fill(
        root,
        {
            "my songs.csv": 'path,valence,arousal,group\n"b, live.mp3",1,9,\n'
            "sub/a.wav,5,3,The Band\nnone.mp3,2.5,7,The Band\n"
        },
    )
    fill(root, {"b, live.mp3": "", "sub/a.wav": ""})
    return root / "my songs.csv"


def make_synthetic(root: Path) -> Path:
    return synthetic.make(root, clips=3, seconds=2.0, seed=1, workers=1)


@dataclasses.dataclass(frozen=True)
class Case:
    """A data set on disk, and its expected index, worked by hand.

    rows: (track_id, valence, arousal, group); None for labels read from the set's own labels.csv.
    split: of each row; "" each if empty.
    """

    module: object
    make: Callable[[Path], Path]
    rows: list[tuple[str, float, float, str]] | None
    labelled: int
    notes: tuple[str, ...] = ()
    label_range: tuple[float, float] | None = None
    split: tuple[str, ...] = ()

    @property
    def options(self) -> dict:
        return {"label_range": self.label_range} if self.label_range else {}


CASES = {
    "pmemo": Case(
        pmemo,
        make_pmemo,
        [
            ("2", 0.15, -0.2, "21 Savage"),
            ("4", 0.5, -0.5, "4"),
            ("10", -1, 1, "Tyler, The Creator"),
        ],
        4,
        (
            "2 of the 6 songs in metadata.csv have no static label and are left out: 5, 21.",
            "1 of the 4 labelled tracks have no audio in chorus/: 3 are used.",
            "1 audio files in chorus/ have no label and are left out: 99.",
            "1 tracks have no artist in metadata.csv, each is a group of its own: 4.",
        ),
    ),
    "deam": Case(
        deam,
        make_deam,
        [
            ("2", -0.5, -0.475, "2"),
            ("1000", -1, 1, "1000"),
            ("1001", 1, 0, "1001"),
            ("2001", -0.5, 0.5, "2001"),
        ],
        4,
        (
            "The valence and arousal columns of the 2 songs with song_id <= 1000 are swapped in "
            "the published file and were set right.",
        ),
    ),
    "emomusic": Case(
        emomusic,
        make_emomusic,
        [
            ("3", -0.425, -0.375, "Kevin MacLeod"),
            ("7", 0.25, 0, "7"),
            ("12", -1, 1, "Kevin MacLeod"),
        ],
        3,
        ("1 tracks have no artist in songs_info.csv, each is a group of its own: 7.",),
    ),
    "emopia": Case(
        quadrants,
        make_emopia,
        [
            ("Q1__ab_0", 1, 1, "_ab"),
            ("Q2_5N_W0_9", -1, 1, "5N_W0"),
            ("Q2_5N_W0_10", -1, 1, "5N_W0"),
            ("Q3_5N_W0_1", -1, -1, "5N_W0"),
        ],
        5,
        (
            "1 of the 5 labelled tracks have no audio in audio/ or the folder itself: 4 are used.",
            "No track of quadrant Q4 is there.",
        ),
        split=("val", "train", "train", ""),
    ),
    "merge": Case(
        merge,
        make_merge,
        [
            ("A2", 1, 0.5, "A2"),
            ("MT1", -0.5, 0, "Earth, Wind & Fire"),
            ("MT10", 0, -1, "Moby"),
        ],
        3,
        (
            "1 clips have valence and arousal in another quadrant than the published one; valence "
            "and arousal count.",
            "1 tracks have no artist in its metadata, each is a group of its own: A2.",
        ),
        split=("train", "val", "test"),
    ),
    "merge bimodal": Case(
        merge,
        make_merge_bimodal,
        [("A2", 1, 0.5, "Moby"), ("MT1", -0.5, 0, "Moby")],
        2,
        split=("train", "test"),
    ),
    "panda4q": Case(
        panda4q,
        make_panda4q,
        [("MT2", 1, -1, 'The "5" Royales'), ("MT3", -1, 1, "MT3"), ("MT10", 1, 1, "Moby")],
        4,
        (
            "1 of the 4 labelled tracks have no audio in Q1/ or Q2/ or Q3/ or Q4/: 3 are used.",
            "No track of quadrant Q3 is there.",
            "1 tracks have no artist in panda_dataset_taffc_metadata.csv, each is a group of its "
            "own: MT3.",
        ),
    ),
    "panda4q songs": Case(
        panda4q,
        make_panda4q_songs,
        [
            ("MT2", 1, -1, "Moby"),
            ("MT3", -1, 1, "Moby"),
            ("MT4", -1, -1, "X"),
            ("MT10", 1, 1, "MT10"),
        ],
        4,
        ("1 tracks have no artist in songs.csv, each is a group of its own: MT10.",),
    ),
    "folders": Case(
        quadrants,
        make_folders,
        [
            ("a", -1, 1, "a"),
            ("b", 1, 1, "b"),
            ("c9", -1, -1, "c9"),
            ("c10", -1, -1, "c10"),
            ("d", 1, -1, "d"),
        ],
        5,
    ),
    "csv": Case(
        csv_file,
        make_manifest,
        [
            ("b, live.mp3", -1, 1, "b, live.mp3"),
            ("none.mp3", -0.625, 0.5, "The Band"),
            ("sub/a.wav", 0, -0.5, "The Band"),
        ],
        3,
        label_range=(1, 9),
    ),
    "synthetic": Case(synthetic, make_synthetic, None, 3),
}


def error(*args, **options) -> str:
    """Return the message of the InputError that `datasets.load` raises."""
    with pytest.raises(InputError) as caught:
        datasets.load(*args, **options)
    return str(caught.value)
